//! Releases that are older than the running one, or were rolled back before: refused without `--insist`.

use crate::installation::{Installation, NEW, OLD, signed};

#[tokio::test(flavor = "multi_thread")]
async fn an_older_release_is_installed_only_where_somebody_insists() {
    let installation = Installation::new().await;
    let service = installation.serve().await;
    installation.publish("0.9.0", None);
    for wanted in [OLD, "0.9.0", "0.8.0"] {
        let told = installation.told(&["app:update", "--version", wanted]).await;
        told.ends(1).says(&format!("{wanted} is not newer than 1.0.0")).says("--insist");
    }
    let unknown = installation.told(&["app:update", "--version", "0.8.0", "--insist"]).await;
    unknown.ends(1).says("There is no newer release 0.8.0 at GitHub");
    installation.told(&["app:update", "--rollback", "--insist"]).await.ends(2).says("cannot be used with");
    installation.is_unchanged();
    assert!(installation.outcomes().is_empty());

    let told = installation.told(&["app:update", "--version", "0.9.0", "--insist"]).await;
    told.ends(0).says("updated from 1.0.0 to 0.9.0");
    assert_eq!(installation.version(&service).await, "0.9.0");
    assert_eq!(installation.outcomes(), ["committed"]);
    installation.is_tidy();
    // After that, the guard that decides is the one of release 0.9.0.
    installation.told(&["app:update", "--rollback"]).await.ends(0).says("updated from 0.9.0 to 1.0.0");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_rolled_back_is_tried_again_only_where_somebody_insists() {
    let installation = Installation::new().await;
    let service = installation.serve().await;
    installation.publish(NEW, Some("exits at once"));
    let update = ["app:update", "--version", NEW];
    installation.told(&update).await.ends(1).says("the worker ended with code 7");
    installation.told(&update).await.ends(1).says("was tried and rolled back before");
    let insisting = [&update[..], &["--insist"]].concat();
    installation.told(&insisting).await.ends(1).says("the worker ended with code 7");
    assert_eq!(installation.outcomes(), ["rolled_back", "refused", "rolled_back"]);
    // The same with a package that was obtained by other means.
    let older = installation.kept("0.9.0", &signed("0.9.0", None)).display().to_string();
    let update = ["app:update", "--package", &older];
    installation.told(&update).await.ends(1).says("0.9.0 is not newer than 1.0.0").says("--insist");
    installation.is_unchanged();
    let insisting = [&update[..], &["--insist"]].concat();
    installation.told(&insisting).await.ends(0).says("updated from 1.0.0 to 0.9.0");
    assert_eq!(installation.version(&service).await, "0.9.0");
    installation.told(&insisting).await.ends(1).says("this release is already running");
    installation.is_tidy();
    service.stop().await;
}
