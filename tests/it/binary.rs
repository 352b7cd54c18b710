//! The binary itself: its output and its exit codes.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_from_the_command_line() {
    let world = World::new().await;
    world.release_store().await;
    let output = world.output(&["check"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("the store is new") && text.contains("balance 0.00 EUR"), "{text}");
    assert_eq!(world.output(&["vendor:process", "--json"]).await.status.code(), Some(0));
}
