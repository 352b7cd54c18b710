//! Stores without a record of what was paid: restored from a backup, or created after another
//! installation had paid. HiPay is asked first, and its answer is adopted or held.

use std::path::{Path, PathBuf};

use cashout::domain::operation::{PaymentKind, Status};
use cashout::sandbox::{Ending, Endpoint, Kind, Life, SandboxOptions};

use crate::market::{Memory, day, each, market, owed, received, until_all_is_paid};
use crate::world::{World, euro, wallet_of};

/// Progress of the money when the memory was lost.
#[derive(Debug, Clone, Copy)]
enum Paid {
    /// Transferred to the wallets, and recorded in the store.
    Transferred,
    /// Withdrawn to the banks, and recorded in the store.
    Withdrawn,
    /// Accepted by HiPay, and not yet executed.
    UnderWay,
}

async fn pay(world: &World, how_far: Paid) {
    if matches!(how_far, Paid::UnderWay) {
        world.sandbox.hipay(|hipay| {
            hipay.life = Life::pending("AUTHORIZED", cashout::sandbox::Until::ByHand, Ending::Captured);
        });
    }
    world.transfer().await;
    world.sync().await;
    if matches!(how_far, Paid::Withdrawn) {
        world.withdraw().await;
        world.sync().await;
    }
}

/// Files that a backup program copies, and the way of restoring them.
#[derive(Debug, Clone, Copy)]
enum Backup {
    /// The store's file, restored after the lost one was removed.
    File,
    /// The store's file, written over the existing one.
    FileInPlace,
    /// All files of the data folder, written over the existing ones.
    FolderInPlace,
    /// All files of the data folder, in a new folder.
    FolderAnew,
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Backup {
    fn restore(self, backup: &Path, data: &Path) {
        let file = |folder: &Path| -> PathBuf { folder.join("store.redb") };
        match self {
            Self::File => {
                std::fs::remove_file(file(data)).unwrap();
                std::fs::copy(file(backup), file(data)).unwrap();
            }
            Self::FileInPlace => {
                std::fs::copy(file(backup), file(data)).unwrap();
            }
            Self::FolderInPlace => copy_all(backup, data),
            Self::FolderAnew => {
                std::fs::remove_dir_all(data).unwrap();
                copy_all(backup, data);
            }
        }
    }
}

/// Takes a backup before the transfers, pays, loses the store and restores the backup.
async fn restored(how_far: Paid, backup: Backup) -> World {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    world.release_store().await;
    let folder = tempfile::tempdir().unwrap();
    copy_all(&world.data(), folder.path());
    world.restart().await;
    pay(&world, how_far).await;
    world.release_store().await;
    backup.restore(folder.path(), &world.data());
    world.restart().await;
    assert!(world.operations().iter().all(|one| one.transfer.attempts.is_empty()), "the backup knows of no transfer");
    world
}

fn posts(world: &World) -> u64 {
    world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer) + traffic.count(Endpoint::Withdrawal))
}

async fn restore_and_go_on((how_far, backup): (Paid, Backup)) {
    let world = restored(how_far, backup).await;
    let sent = posts(&world);
    let batch = world.transfer().await;
    assert_eq!(batch.counts.get("found at HiPay"), Some(&7), "{batch:?}");
    assert_eq!(posts(&world), sent, "nothing was sent again");
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        hipay.settle_transactions();
    });
    until_all_is_paid(&world, 3).await;
    let executed =
        world.sandbox.hipay(|hipay| hipay.ledger.executed().iter().filter(|entry| entry.kind != Kind::Funding).count());
    assert_eq!(executed, 14, "seven transfers and seven withdrawals, whoever sent them");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_does_not_know_is_found_at_hipay() {
    let backups = [Backup::File, Backup::FileInPlace, Backup::FolderInPlace, Backup::FolderAnew];
    let paid = [Paid::Transferred, Paid::Withdrawn, Paid::UnderWay];
    each(paid.into_iter().flat_map(|paid| backups.map(|backup| (paid, backup))), restore_and_go_on).await;
}

/// Checks the case in which another installation paid and its data folder is lost, so that a new
/// store begins after the cycle.
async fn begin_anew(how_far: Paid) {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    pay(&world, how_far).await;
    world.release_store().await;
    std::fs::remove_dir_all(world.data()).unwrap();
    world.restart().await;
    assert!(world.operations().is_empty());
    let sent = posts(&world);
    world.vendors().await;
    world.generate().await;
    let batch = world.transfer().await;
    assert_eq!(batch.counts.get("found at HiPay"), Some(&7), "{batch:?}");
    assert_eq!(posts(&world), sent);
    assert!(world.operation(1).transfer.last().is_some_and(|known| known.transaction_id.is_some()));
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        hipay.settle_transactions();
    });
    until_all_is_paid(&world, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_installation_paid_is_not_paid_again() {
    each([Paid::Transferred, Paid::Withdrawn, Paid::UnderWay], begin_anew).await;
}

/// Checks the case in which the former installation's first attempt had failed for good and its second one succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_that_nobody_remembers_is_found_too() {
    for kind in [PaymentKind::Transfer, PaymentKind::Withdrawal] {
        let mut world = market(SandboxOptions::default(), Memory::Whole).await;
        world.generate().await;
        let technical = world.sandbox.credentials().technical_id.to_string();
        let base = world.operation(1).base_reference(kind, &technical);
        world.sandbox.hipay(|hipay| {
            hipay.lives.insert(base.clone(), Life::failing(Ending::Aborted));
        });
        until_all_is_paid(&world, 3).await;
        world.release_store().await;
        std::fs::remove_dir_all(world.data()).unwrap();
        world.restart().await;
        let sent = posts(&world);
        world.vendors().await;
        until_all_is_paid(&world, 5).await;
        assert_eq!(posts(&world), sent);
        let references: Vec<String> =
            world.operation(1).payment(kind).attempts.iter().map(|attempt| attempt.reference.clone()).collect();
        assert_eq!(references, [base.clone(), format!("{base}_R2")]);
    }
}

/// Differences between the payment that HiPay shows under our reference and the intended one.
#[derive(Debug, Clone, Copy)]
enum Difference {
    Amount(i64),
    Account,
}

async fn hold((kind, difference): (PaymentKind, Difference)) {
    let mut world = restored(Paid::Withdrawn, Backup::File).await;
    let base = world.operation(1).base_reference(kind, &world.sandbox.credentials().technical_id.to_string());
    let stranger = wallet_of(2002);
    world.sandbox.hipay(|hipay| {
        let mut transactions = hipay.transactions.iter_mut();
        let ours = transactions.find(|one| one.reference.as_ref() == Some(&base)).expect("the transaction");
        match difference {
            Difference::Amount(cents) => ours.amount = ours.amount.checked_add(euro(cents)).unwrap(),
            Difference::Account => ours.recipient = Some(stranger),
        }
    });
    if kind == PaymentKind::Withdrawal {
        world.transfer().await;
        world.sync().await;
    }
    let sent = posts(&world);
    // The binary reports it at the highest level.
    world.release_store().await;
    let command = if kind == PaymentKind::Transfer { "cashout:transfer" } else { "cashout:withdraw" };
    let output = world.output(&[command]).await;
    let (told, logged) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{told}");
    let sentence = format!("HiPay shows another payment under the reference {base}");
    assert!(told.contains(&sentence) && told.contains("Nothing is paid until an operator has reviewed it"), "{told}");
    assert!(logged.contains("CRITICAL") && logged.contains(&sentence), "{logged}");
    world.restart().await;
    let held = world.operation(1);
    assert!(held.held.as_deref().is_some_and(|why| why.contains(&sentence)), "{held:?}");
    for _ in 0..3 {
        day(&world).await;
    }
    assert_eq!(world.operation(1), held, "no later run touches it");
    assert_eq!(posts(&world), sent, "nothing was sent, for this one or any other");
    let others = world.operations().into_iter().filter(|one| one.status == Status::WithdrawSuccess).count();
    assert_eq!(others, 6, "everybody else's payments were adopted");
    assert_eq!((world.paid_out(), received(&world)), (owed(&world), owed(&world)));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_payment_under_our_reference_is_held_for_a_person() {
    let amounts = [1, -1, 100_000].map(Difference::Amount);
    let transfers =
        amounts.into_iter().chain([Difference::Account]).map(|difference| (PaymentKind::Transfer, difference));
    let withdrawals = amounts.into_iter().map(|difference| (PaymentKind::Withdrawal, difference));
    each(transfers.chain(withdrawals), hold).await;
}

/// Checks that the operator's withdrawal may be smaller than the commission and is still recognised as its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_withdrawal_of_the_operator_is_adopted() {
    let world = restored(Paid::Withdrawn, Backup::File).await;
    let commission = world.operations().into_iter().find(|one| one.amount == euro(600)).expect("the commission");
    let technical = world.sandbox.credentials().technical_id.to_string();
    let base = commission.base_reference(PaymentKind::Withdrawal, &technical);
    world.sandbox.hipay(|hipay| {
        let mut transactions = hipay.transactions.iter_mut();
        transactions.find(|one| one.reference.as_ref() == Some(&base)).expect("the transaction").amount = euro(450);
    });
    let sent = posts(&world);
    day(&world).await;
    let found = world.operations().into_iter().find(|one| one.id == commission.id).expect("the commission");
    assert_eq!((found.status, found.held), (Status::WithdrawSuccess, None));
    assert_eq!(found.withdrawal.attempts[0].amount, euro(450));
    assert_eq!(posts(&world), sent);
}
