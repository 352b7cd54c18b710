//! `cashout check`: every finding with its remedy, and rebinding a store.

use cashout::domain::operation::Status;
use cashout::jobs::{Command, JobError};
use cashout::sandbox::{Account, Endpoint, Refusal, SandboxOptions};

use serde_json::Value;

use crate::running::Told;
use crate::world::{World, wallet_of};

/// Makes a world that `change` puts out of order; returns the output of `check` as text and as JSON.
async fn checked(change: impl FnOnce(&World)) -> Told {
    let world = World::new().await;
    world.release_store().await;
    change(&world);
    let told = world.told(&["check"]).await;
    let json = world.told(&["check", "--json"]).await;
    json.ends(told.code.unwrap());
    let json = json.json();
    assert_eq!(json.get("ok").and_then(Value::as_bool), Some(told.code == Some(0)), "{json}");
    let findings = json.get("findings").and_then(Value::as_array).unwrap();
    assert_eq!(findings.len(), told.out.lines().count(), "{json} {told:#?}");
    for finding in findings {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap();
        let is = |name: &str| finding.get(name) == Some(&Value::Bool(true));
        let mark = match (is("ok"), is("warning")) {
            (true, true) => "WARN ",
            (true, false) => "ok   ",
            (false, _) => "WRONG",
        };
        told.says(&format!("{mark}  {:<18}  {}", text("what"), text("detail")));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marketplace_in_good_order_has_nothing_wrong() {
    let told = checked(|world| world.fund(123_456)).await;
    told.ends(0).hides("WRONG").says("the store is new and not bound to an installation yet").says("version 3.1043");
    told.says("the document types and the custom field exist").says("400001, balance 1234.56 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirakl_lacks_is_named_with_the_mend() {
    let told = checked(|world| world.sandbox.mirakl(|mirakl| mirakl.additional_fields.clear())).await;
    told.ends(1).says("no custom field 'hipay-process' for shops: create it in the back office (type BOOLEAN)");
    let told = checked(|world| {
        world.sandbox.mirakl(|mirakl| mirakl.additional_fields[0].kind = "STRING".to_owned());
    });
    told.await.ends(1).says("'hipay-process' has type STRING: it must be of type BOOLEAN");
    let told = checked(|world| {
        let lost = ["ALL_PROOF_OF_BANK_ACCOUNT", "LEGAL_PROOF_OF_REGISTRATION_NUMBER"];
        world.sandbox.mirakl(|mirakl| mirakl.document_types.retain(|code| !lost.contains(&code.as_str())));
    })
    .await;
    told.ends(1).says("no document type 'ALL_PROOF_OF_BANK_ACCOUNT' for shops: create it in the back office");
    told.says("no document type 'LEGAL_PROOF_OF_REGISTRATION_NUMBER'").hides("'SOLE_MAN");
    let told = checked(|world| {
        world.sandbox.mirakl(|mirakl| mirakl.document_types.retain(|code| !code.starts_with("SOLE_MAN")));
    });
    told.await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hipay_lacks_is_named_with_the_mend() {
    let operator = |world: &World, change: fn(&mut Account)| {
        let id = world.sandbox.credentials().operator_id;
        world.sandbox.hipay(|hipay| change(hipay.account_mut(id).unwrap()));
    };
    let told = checked(|world| operator(world, |account| account.identified = false)).await;
    told.ends(1).says("HiPay has not identified the account 400002: ask HiPay");
    let told = checked(|world| operator(world, |account| account.bank = None)).await;
    told.ends(1).says("HiPay has not validated the bank details of the account 400002");
    let told = checked(|world| {
        let refusal = Refusal::code(Endpoint::Account, 403).times(1_000);
        world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    });
    told.await.ends(1).says("WRONG  HiPay").says("check hipay.baseRestUrl and the network route to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_has_wrong_is_named_with_the_mend() {
    let mut world = World::new().await;
    for (wrong, right, words) in [
        (
            "account.technical.hipayId: 400777",
            "account.technical.hipayId: 400001",
            "hipay.wsLogin belongs to the account 400001, account.technical.hipayId says 400777: correct it",
        ),
        ("account.operator.hipayId: 400888", "account.operator.hipayId: 400002", "operator account"),
        ("mirakl.operatorKey: wrong-canary", "mirakl.operatorKey: sandbox-operator-key", "check mirakl.operatorKey"),
        ("hipay.wsPassword: wrong-canary", "hipay.wsPassword: sandbox-password", "check hipay.wsLogin and hipay"),
        (
            "mirakl.baseUrl: RIGHT/elsewhere",
            "mirakl.baseUrl: RIGHT",
            "check mirakl.baseUrl and the network route to it",
        ),
    ] {
        let here = world.sandbox.mirakl_url();
        world.set(&wrong.replace("RIGHT", &here)).await;
        world.release_store().await;
        world.told(&["check", "--offline"]).await.ends(0).hides("Mirakl's settings").hides("operator account");
        world.told(&["check"]).await.ends(1).says("WRONG").says(words).hides("wrong-canary");
        world.set(&right.replace("RIGHT", &here)).await;
        world.release_store().await;
        world.told(&["check"]).await.ends(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offline_check_asks_nobody() {
    let world = World::new().await;
    world.release_store().await;
    world.told(&["check", "--offline"]).await.ends(0).says("ok     configuration").says("ok     store");
    assert_eq!(world.sandbox.traffic(|traffic| traffic.total()), 0);
    for arguments in [&["check", "--offline", "--rebind"][..], &["check", "--yes"]] {
        world.told(arguments).await.ends(2).says("--rebind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_installation_pays_nothing_until_a_person_binds_it_anew() {
    let wrong = ["account.technical.hipayId: 400777"];
    let mut world = World::with(SandboxOptions::default(), &wrong).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.set("account.technical.hipayId: 400001").await;
    world.release_store().await;
    let difference = "account.technical.hipayId: 400777 (store), 400001 (configuration)";
    for command in ["cashout:transfer", "vendor:process", "cashout:generate", "cashout:transaction:status:sync"] {
        world.told(&[command]).await.ends(2).says(difference).says("cashout check --rebind");
    }
    world.told(&["check", "--offline"]).await.ends(1).says(difference).says("--rebind");
    // No terminal is attached that could confirm.
    let unconfirmed = world.told(&["check", "--rebind"]).await;
    unconfirmed.ends(1).says("Continue? [y/N]").says("add --yes to confirm").says("the store was not rebound");
    world.told(&["cashout:transfer"]).await.ends(2);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 0);
    world.restart().await;
    assert_eq!(world.status(1), Status::Created);
    assert!(matches!(world.try_run(Command::CashoutTransfer).await, Err(JobError::Refused(_))));
    world.release_store().await;

    let bound = world.told(&["check", "--rebind", "--yes"]).await;
    bound.ends(0).says("the store is now bound to what the configuration names");
    world.told(&["cashout:transfer"]).await.ends(0).says("1  requested, 100.00 EUR");
    world.told(&["check", "--offline"]).await.ends(0).says("belongs to this Mirakl, HiPay and technical account");
    world.restart().await;
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
}
