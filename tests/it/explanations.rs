//! Explanations of obstacles to a seller's payment: the event, the remedy, and the person who must act.

use cashout::domain::explanation::{Actor, Explanation, Next, explain, explain_vendor};
use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, HipayModel, Refusal};
use cashout::text::Locale;
use cashout::text::Texts;

use crate::world::{World, wallet_of};

fn ids(explanations: &[Explanation]) -> Vec<String> {
    explanations.iter().map(|explanation| explanation.id().to_owned()).collect()
}

fn why(world: &World, voucher: u64) -> Vec<String> {
    ids(&explain(&world.operation(voucher)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_withdrawal_waits_for_is_told_until_it_is_there() {
    let world = World::new().await;
    for id in 2001..=2005 {
        world.seller(id);
        world.voucher(id, id, if id == 2005 { 50_000 } else { 10_000 }, 0);
    }
    world.fund(40_000);
    world.up_to_operations().await;
    assert_eq!(why(&world, 2001), ["why-created"]);
    world.transfer().await;
    world.sync().await;
    assert_eq!(why(&world, 2001), ["why-transfer-success"]);
    assert_eq!(why(&world, 2005), ["why-transfer-negative"]);

    let change = |id: u64, change: &dyn Fn(&mut cashout::sandbox::Account)| {
        world.sandbox.hipay(|hipay| change(hipay.account_mut(wallet_of(id)).unwrap()));
    };
    let bank = world.sandbox.hipay(|hipay| hipay.account(wallet_of(2002)).unwrap().bank.clone());
    change(2001, &|account| account.identified = false);
    change(2002, &|account| account.bank = None);
    let mut refusal = Refusal::withdrawal_detail(4015).about(&wallet_of(2003));
    refusal.message = "UBO declaration <incomplete>".to_owned();
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    world.withdraw().await;
    assert_eq!(world.status(2001), Status::WithdrawFailed);
    assert_eq!(why(&world, 2001), ["why-not-identified"]);
    assert_eq!(why(&world, 2002), ["why-bank-details"]);
    assert_eq!(why(&world, 2004), ["why-withdraw-requested"]);
    let [refused] = explain(&world.operation(2003)).try_into().unwrap();
    assert_eq!((refused.id(), refused.by(), refused.next()), ("refusal-4015", Actor::Vendor, Next::WithdrawRun));
    let (english, french) = (Texts::of(Some(Locale::English)), Texts::of(Some(Locale::French)));
    assert!(refused.what(english).contains("beneficial owners"), "{}", refused.what(english));
    assert!(refused.what(french).contains("bénéficiaires effectifs"), "{}", refused.what(french));
    assert!(refused.mend(french).ends_with("sous Paramètres › Corriger les erreurs."), "{}", refused.mend(french));
    assert!(refused.said(english).unwrap().contains("“UBO declaration <incomplete>” (code 400, detail 4015)"));

    // Once it is identified, the explanation disappears.
    change(2001, &|account| account.identified = true);
    change(2002, &|account| account.bank.clone_from(&bank));
    world.fund(50_000);
    world.pay_day().await;
    assert!(world.operations().iter().all(|operation| explain(operation).is_empty()), "{:#?}", world.operations());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hipay_said_while_nobody_knew_is_forgotten_once_it_is_known() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(10_000);
    world.up_to_operations().await;
    let refusal = Refusal::code(Endpoint::Transfer, 26).but_executes();
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    world.transfer().await;
    // Found at HiPay: its earlier answer no longer matters.
    let [found] = explain(&world.operation(1)).try_into().unwrap();
    assert!(["why-transfer-requested", "why-transfer-success"].contains(&found.id()), "{}", found.id());
    assert_eq!(found.said(Texts::of(None)), None);
    world.sandbox.hipay(HipayModel::settle_transactions);
    world.pay_day().await;
    assert!(why(&world, 1).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_in_warning_says_what_to_do_about_each_thing() {
    let world = World::new().await;
    for id in 2001..=2005 {
        world.seller(id);
    }
    world.sandbox.mirakl(|mirakl| {
        mirakl.shop_mut(2001).unwrap().email = None;
        mirakl.shop_mut(2002).unwrap().country = "Atlantis".to_owned();
        mirakl.shop_mut(2003).unwrap().payment.as_mut().unwrap().iban = "FR1420041010050500013M02607".to_owned();
        mirakl.documents.push(cashout::sandbox::Document::new(98, 2004, "LEGAL_PROOF_OF_REGISTRATION_NUMBER", "a.pdf"));
        mirakl.documents.push(cashout::sandbox::Document::new(99, 2004, "LEGAL_ARTICLES_DISTR_OF_POWERS", "b.docx"));
    });
    let unreadable = Refusal::code(Endpoint::SendDocument, 3).error("file", "is not readable").times(100);
    world.sandbox.hipay(|hipay| {
        let account = hipay.account_mut(wallet_of(2004)).unwrap();
        account.identified = false;
        hipay.refusals.push(unreadable);
    });
    world.vendors().await;
    let explained = |id| explain_vendor(&world.vendor(id));
    assert_eq!(ids(&explained(2001)), ["trouble-no-email"]);
    assert_eq!(ids(&explained(2002)), ["trouble-unknown-country"]);
    assert!(ids(&explained(2003)).contains(&"trouble-iban-wrong".to_owned()), "{:?}", ids(&explained(2003)));
    assert!(explained(2005).is_empty(), "{:?}", ids(&explained(2005)));
    let documents = explained(2004);
    assert_eq!(ids(&documents), ["trouble-document-not-sent", "trouble-document-file", "vendor-no-documents"]);
    let french = Texts::of(Some(Locale::French));
    assert!(documents[0].what(french).contains("Le justificatif 98"));
    assert!(documents[0].said(french).unwrap().contains("file: is not readable"), "{:?}", documents[0].said(french));
    assert!(explained(2002)[0].what(french).contains("«\u{a0}Atlantis\u{a0}»"));

    // Once fixed in Mirakl, the explanation disappears.
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2002).unwrap().country = "FRA".to_owned());
    world.vendors().await;
    assert!(explained(2002).is_empty(), "{:?}", ids(&explained(2002)));
}
