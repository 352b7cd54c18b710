//! Negative commissions: each is recorded, and compensated by the operator's next ones.

use cashout::domain::operation::{Beneficiary, Operation, Status};
use cashout::sandbox::SandboxOptions;

use crate::world::{World, wallet_of};

fn commissions(world: &World) -> Vec<Operation> {
    world.operations().into_iter().filter(|one| one.beneficiary == Beneficiary::Operator).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_commission_is_netted_against_the_operators_next_ones_of_any_shop() {
    let mut world = World::new().await;
    // The general check sees each voucher's commission separately.
    world.check_ledger = false;
    for shop in [2001, 2002] {
        world.seller(shop);
    }
    world.fund(100_000);
    world.voucher(1, 2001, 1_300, -300);
    world.up_to_operations().await;
    world.pay_day().await;
    let [debt] = commissions(&world).try_into().unwrap();
    assert_eq!((debt.amount.minor(), debt.status), (-300, Status::InvalidAmount));
    let operator = world.sandbox.credentials().operator_id;
    assert_eq!(world.paid_out().get(&operator), None);
    // First a smaller one, which does not compensate it, then a larger one of another shop.
    for (voucher, commission) in [(2, 200), (3, 1_000)] {
        world.voucher(voucher, 2002, 1_000, commission);
        world.clock.advance(jiff::SignedDuration::from_hours(24));
        world.generate().await;
    }
    world.pay_day().await;
    let statuses: Vec<(i64, Status)> = commissions(&world).iter().map(|one| (one.amount.minor(), one.status)).collect();
    assert_eq!(
        statuses,
        [(-300, Status::AdjustedOperations), (200, Status::WithdrawSuccess), (700, Status::WithdrawSuccess)]
    );
    // The amount paid out equals the value of the vouchers.
    assert_eq!(world.paid_out()[&operator], 900);
    assert_eq!((world.paid_out()[&wallet_of(2001)], world.paid_out()[&wallet_of(2002)]), (1_300, 2_000));
}

/// Checks that a vendor's debt is separate from the operator's, and vice versa.
#[tokio::test(flavor = "multi_thread")]
async fn debts_of_vendors_and_of_the_operator_are_apart() {
    for setting in ["adjust", "ignore"] {
        let mut world =
            World::with(SandboxOptions::default(), &[&format!("cashout.negativeVouchers: {setting}")]).await;
        world.check_ledger = false;
        world.seller(2001);
        world.fund(100_000);
        world.voucher(1, 2001, -500, -300);
        world.voucher(2, 2001, 2_000, 1_000);
        world.up_to_operations().await;
        world.pay_day().await;
        let operator = world.sandbox.credentials().operator_id;
        let expected = if setting == "adjust" { (1_500, 700) } else { (2_000, 1_000) };
        assert_eq!((world.paid_out()[&wallet_of(2001)], world.paid_out()[&operator]), expected, "{setting}");
        assert_eq!(world.operations().len(), 4);
    }
}
