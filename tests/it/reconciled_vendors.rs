//! Vendors' data at HiPay and Mirakl, compared with what would be set today; shops of every domain;
//! files and bank details that are sent with their real types.

use cashout::domain::vendor::VendorProblem;
use cashout::sandbox::{Document, Endpoint, Fault, FaultKind, SandboxOptions, Shop};

use crate::world::{IBAN, World, wallet_of};

const FRONT: &str = "LEGAL_IDENTITY_OF_REPRESENTATIVE";
const BACK: &str = "LEGAL_IDENTITY_OF_REP_REAR";
const PROOF: &str = "ALL_PROOF_OF_BANK_ACCOUNT";

/// Adds a shop without a wallet and without documents.
fn newcomer(world: &World, id: u64) {
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(id, "Café Œuvre");
        shop.email = Some(format!("shop{id}@shops.example"));
        shop.hipay_process = Some(true);
        if let Some(payment) = &mut shop.payment {
            IBAN.clone_into(&mut payment.iban);
        }
        mirakl.shops.push(shop);
    });
}

fn troubles(world: &World, id: u64) -> Vec<VendorProblem> {
    world.vendor(id).troubles.iter().map(|warning| warning.trouble).collect()
}

fn upload(world: &World, id: u64, kind: &str, file_name: &str) {
    world.sandbox.mirakl(|mirakl| mirakl.documents.push(Document::new(id, 2001, kind, file_name)));
}

/// Returns the number of documents that HiPay has for the wallet of shop 2001.
fn sent(world: &World) -> usize {
    let wallet = world.vendor(2001).hipay_id.unwrap();
    world.sandbox.hipay(|hipay| hipay.account(wallet).unwrap().documents.len())
}

fn callback_urls(world: &World) -> Vec<Option<String>> {
    [2001, 2002]
        .map(|shop| {
            let wallet = world.vendor(shop).hipay_id.unwrap();
            world.sandbox.hipay(|hipay| hipay.account(wallet).unwrap().callback_url.clone())
        })
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn shops_that_sell_services_are_vendors_like_the_others() {
    for refuses in [false, true] {
        let world = World::new().await;
        for (id, domains) in [(2001, ["PRODUCT"].as_slice()), (2002, &["SERVICE"]), (2003, &["PRODUCT", "SERVICE"])] {
            newcomer(&world, id);
            world.sandbox.mirakl(|mirakl| {
                let shop = mirakl.shop_mut(id).unwrap();
                shop.domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
            });
        }
        world.sandbox.mirakl(|mirakl| mirakl.refuses_domains = refuses);
        let batch = world.vendors().await;
        assert!(world.vendor(2001).hipay_id.is_some() && world.vendor(2003).hipay_id.is_some());
        let known = world.context.store.read(|reader| {
            use cashout::store::View;
            reader.get::<cashout::domain::vendor::Vendor>(&2002)
        });
        assert_eq!(known.unwrap().is_some_and(|vendor| vendor.hipay_id.is_some()), !refuses);
        let told = batch.warnings.iter().filter(|one| one.message.contains("domains")).count();
        assert_eq!(told, usize::from(refuses), "{batch:?}");
        if refuses {
            // An instance that learns the parameter is asked with it again.
            world.sandbox.mirakl(|mirakl| mirakl.refuses_domains = false);
            assert_eq!(world.vendors().await.warnings, []);
            assert!(world.vendor(2002).hipay_id.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_wallets_send_their_notices_follows_the_setting() {
    let mut world = World::new().await;
    newcomer(&world, 2001);
    // A wallet of the previous product.
    world.seller(2002);
    let elsewhere = "https://former.example/index.php";
    world.sandbox.hipay(|hipay| {
        hipay.account_mut(wallet_of(2002)).unwrap().callback_url = Some(elsewhere.to_owned());
    });
    world.vendors().await;
    assert_eq!(callback_urls(&world), [None, Some(elsewhere.to_owned())], "nothing is known to be right");
    for url in ["https://cashout.example", "https://new.example/"] {
        world.set(&format!("server.publicUrl: {url}")).await;
        // HiPay does not accept it at first.
        let fault = Fault::new(FaultKind::ServerError).at(Endpoint::PatchAccount).times(1_000);
        world.sandbox.strike(fault);
        world.vendors().await;
        assert!(troubles(&world, 2001).contains(&VendorProblem::CallbackNotChanged));
        world.sandbox.faults(|plan| plan.rules.clear());
        world.vendors().await;
        let wanted = format!("{}/notifications/wallet", url.trim_end_matches('/'));
        assert_eq!(callback_urls(&world), [Some(wanted.clone()), Some(wanted)]);
        assert!(!troubles(&world, 2001).contains(&VendorProblem::CallbackNotChanged));
        let patched = world.sandbox.traffic(|traffic| traffic.count(Endpoint::PatchAccount));
        world.vendors().await;
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::PatchAccount)), patched, "once is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_is_not_sent_as_an_identity_document() {
    let contents: [&[u8]; 4] = [
        br#"{"status":404,"message":"Document not found"}"#,
        b"PK\x03\x04 a zip",
        b"<html>Please sign in</html>",
        b"%PD",
    ];
    for (number, bytes) in (1..).zip(contents) {
        for kind in [FRONT, PROOF] {
            let world = World::with(SandboxOptions::default(), &[]).await;
            newcomer(&world, 2001);
            upload(&world, 10, kind, "file.pdf");
            let good = world
                .sandbox
                .mirakl(|mirakl| std::mem::replace(&mut mirakl.documents.first_mut().unwrap().bytes, bytes.to_vec()));
            world.vendors().await;
            assert_eq!(sent(&world), 0, "{number} {kind}");
            let trouble = if kind == FRONT { VendorProblem::DocumentContent } else { VendorProblem::BankProofContent };
            assert!(troubles(&world, 2001).contains(&trouble), "{number} {kind}: {:?}", world.vendor(2001));
            // Once corrected, it is sent.
            world.sandbox.mirakl(|mirakl| mirakl.documents.first_mut().unwrap().bytes = good);
            world.vendors().await;
            assert!(!troubles(&world, 2001).contains(&trouble));
            let wallet = world.vendor(2001).hipay_id.unwrap();
            let has_bank = world.sandbox.hipay(|hipay| hipay.account(wallet).unwrap().bank.is_some());
            assert_eq!((sent(&world), has_bank), if kind == FRONT { (1, false) } else { (0, true) });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_side_waits_for_a_back_side_that_hipay_takes() {
    let world = World::new().await;
    newcomer(&world, 2001);
    upload(&world, 10, FRONT, "front.pdf");
    upload(&world, 11, BACK, "back.docx");
    world.vendors().await;
    assert_eq!(sent(&world), 0);
    assert!(troubles(&world, 2001).contains(&VendorProblem::DocumentBack), "{:?}", world.vendor(2001));
    upload(&world, 12, BACK, "back.png");
    world.vendors().await;
    assert_eq!((sent(&world), world.vendor(2001).documents_sent), (1, 2), "both sides in one document");
    assert!(!troubles(&world, 2001).contains(&VendorProblem::DocumentBack));
}

#[tokio::test(flavor = "multi_thread")]
async fn bank_details_are_sent_as_banks_write_them() {
    let world = World::new().await;
    newcomer(&world, 2001);
    upload(&world, 10, PROOF, "proof.pdf");
    world.sandbox.mirakl(|mirakl| {
        let payment = mirakl.shop_mut(2001).unwrap().payment.as_mut().unwrap();
        "Crédit Agricole".clone_into(&mut payment.bank_name);
        "12, rue de l'Église".clone_into(&mut payment.bank_street);
        "BNPA".clone_into(&mut payment.bic);
    });
    world.vendors().await;
    assert!(troubles(&world, 2001).contains(&VendorProblem::BicWrong), "{:?}", world.vendor(2001));
    world.sandbox.mirakl(|mirakl| {
        "bnpa-frpp-xxx".clone_into(&mut mirakl.shop_mut(2001).unwrap().payment.as_mut().unwrap().bic);
    });
    world.vendors().await;
    let wallet = world.vendor(2001).hipay_id.unwrap();
    let bank = world.sandbox.hipay(|hipay| hipay.account(wallet).unwrap().bank.clone()).unwrap();
    assert_eq!((bank.name.as_str(), bank.swift.as_str()), ("Credit Agricole", "BNPAFRPPXXX"));
    assert_eq!(bank.address, "12 rue de l Eglise");
    assert!(!troubles(&world, 2001).contains(&VendorProblem::BicWrong));
}
