//! Problems during an update: one clear message each, and nothing is changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use cashout::platform::clock::Clock;
use cashout::sandbox::{Endpoint, Throttle};
use cashout::update::{UpdateCheck, UpdateObstacle};
use jiff::SignedDuration;

use crate::installation::{Installation, Mounted, NEW, OLD, SHOP, Service, signed};
use crate::notices::Notice;
use crate::releases;
use crate::running::Told;
use crate::world::{World, wallet_of};

/// The user that represents a service without rights: "nobody" on every system.
const NOBODY: u32 = 65_534;

/// Checks that `told` gives the reason for which there was no update, and that the old release serves
/// and stores, unchanged.
async fn nothing_changed(installation: &Installation, service: &Service, told: &Told, why: &str) {
    told.ends(1).says(why);
    installation.is_unchanged();
    assert_eq!(installation.version(service).await, OLD);
    let notice = Notice::new("other_transaction", "ok", wallet_of(SHOP)).of("meanwhile", "1.00");
    assert_eq!(notice.send(service.address).await, 204);
}

/// Returns a command that starts the program with the signal for an exceeded file size ignored, so that it survives.
fn limitable(plain: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.env_clear().args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]);
    limited.arg(plain.get_program()).args(plain.get_args());
    limited
}

/// Limits the size of a process's files to this number of bytes, like a disk that is about to be full.
fn limit(process: &str, bytes: &str) {
    let limited = Command::new("prlimit").args([&format!("--fsize={bytes}:unlimited"), "--pid", process]).status();
    assert!(limited.unwrap().success());
}

/// Limit in bytes: larger than the store, smaller than the package.
const LITTLE: &str = "8000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_is_told_and_afterwards_it_goes_through() {
    let installation = Installation::new().await;
    let service = installation.served_by(limitable(&installation.service())).await;
    installation.publish(NEW, None);
    let (guard, worker) = (service.running.id(), service.running.worker());
    limit(&worker, LITTLE);
    let told = installation.told(&["app:update"]).await;
    nothing_changed(&installation, &service, &told, "The download cannot be kept: ").await;
    told.says("File too large");
    let left = fs::read_dir(installation.world.data().join("downloads")).unwrap().count();
    assert_eq!(left, 0, "a part of the download is left");
    assert!(installation.outcomes().is_empty());
    limit(&worker, "unlimited");

    // Too little for the package, then for its content.
    let package = signed(NEW, None).metadata().unwrap().len();
    for room in [LITTLE.to_owned(), (package + 1_000_000).to_string()] {
        limit(&guard, &room);
        let told = installation.told(&["app:update"]).await;
        let folder = installation.folder.path().join("bin").display().to_string();
        let why = format!("no update to 1.1.0: there is no space left in {folder}; free some, and update again");
        nothing_changed(&installation, &service, &told, &why).await;
    }
    assert_eq!(installation.outcomes(), ["refused", "refused"]);
    limit(&guard, "unlimited");

    installation.told(&["app:update"]).await.ends(0).says("updated from 1.0.0 to 1.1.0");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_for_a_copy_of_the_store_or_for_the_journal_is_told() {
    let mut installation = Installation::new().await;
    let guard = installation.guard_apart();
    let Some(data) = Mounted::small_disk(&installation.world.data(), 48) else { return };
    let Some(own) = Mounted::small_disk(&guard, 8) else { return };
    let service = installation.serve().await;
    installation.publish(NEW, None);
    let told = installation.told(&["app:update"]).await;
    let too_little = format!("There is too little space in {}: an update needs", installation.world.data().display());
    nothing_changed(&installation, &service, &told, &too_little).await;

    // No room at all; then room for a line of the history, but not for the rollback.
    let package = signed(NEW, None);
    for left in [0, 256 * 1024] {
        let filler = own.filled_but(left);
        let told = installation.install(NEW, &package).await;
        let why = format!("there is no space left in {}; free some, and update again", guard.display());
        nothing_changed(&installation, &service, &told, &why).await;
        installation.told(&["app:update", "--history"]).await.ends(0).says(&why);
        fs::remove_file(filler).unwrap();
    }
    let filler = data.filled_but(12 * 1024 * 1024);
    let told = installation.install(NEW, &package).await;
    nothing_changed(&installation, &service, &told, "the store could not be copied: ").await;
    told.says("No space left on device");
    fs::remove_file(filler).unwrap();

    installation.install(NEW, &package).await.ends(0).says("updated from 1.0.0 to 1.1.0");
    assert_eq!(installation.outcomes(), ["refused", "refused", "committed"]);
    service.stop().await;
    // The journal of an attempt that could not be recorded in the history is gone.
    installation.is_tidy();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_the_service_may_not_write_to_is_told_with_the_command_that_mends_it() {
    let installation = Installation::new().await;
    let bin = installation.folder.path().join("bin");
    let mut command = installation.service();
    let me = fs::metadata("/proc/self").unwrap().uid();
    let user = if me == 0 {
        // Everything but the binary's folder is given to the service.
        let data = installation.world.data();
        fs::set_permissions(data.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        give(&data);
        chown(installation.world.configuration(), Some(NOBODY), Some(NOBODY)).unwrap();
        let plain = command;
        command = Command::new("setpriv");
        command.env_clear().args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(plain.get_program()).args(plain.get_args());
        NOBODY
    } else {
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o555)).unwrap();
        me
    };
    let service = installation.served_by(command).await;
    let told = installation.install(NEW, &signed(NEW, None)).await;
    let bin = bin.display();
    let why = format!("the service may not write to {bin}; give it the right with `chown {user} {bin}` as root");
    nothing_changed(&installation, &service, &told, &why).await;
    service.stop().await;
}

/// Makes the service the owner of a folder and all its content.
fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_read_only_image_is_told() {
    let installation = Installation::new().await;
    let bin = installation.folder.path().join("bin");
    let Some(image) = Mounted::small_disk(&bin, 512) else { return };
    image.read_only();
    let service = installation.serve().await;
    let told = installation.install(NEW, &signed(NEW, None)).await;
    let why = format!("{} is read-only, so this installation is managed by an image; update that", bin.display());
    nothing_changed(&installation, &service, &told, &why).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_on_another_file_system_than_its_folder_is_told() {
    let installation = Installation::new().await;
    let Some(_mounted) = Mounted::by_itself(&installation.program()) else { return };
    let service = installation.serve().await;
    let told = installation.install(NEW, &signed(NEW, None)).await;
    nothing_changed(&installation, &service, &told, "is mounted by itself and cannot be replaced").await;
    assert!(!installation.folder.path().join("bin/cashout.prev").exists(), "it was found out too late");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_github_is_told_with_its_end_and_nothing_is_fetched() {
    let installation = Installation::new().await;
    let service = installation.serve().await;
    installation.publish(NEW, None);
    let until = Clock::system().now() + SignedDuration::from_hours(2);
    installation.world.sandbox.github(|github| github.throttle = Some(Throttle::UsedUp(403, until)));
    let paris = &installation.world.context.config.hipay.time_zone;
    let at = until.to_zoned(paris.clone()).strftime("%H:%M").to_string();
    for _ in 0..2 {
        let told = installation.told(&["app:update"]).await;
        nothing_changed(&installation, &service, &told, "GitHub’s limit of calls is reached: it allows the next").await;
        told.says(&at);
    }
    assert_eq!(installation.world.sandbox.traffic(|traffic| traffic.count(Endpoint::ReleaseFile)), 0);
    assert!(installation.outcomes().is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_network_is_told() {
    // No server listens there.
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let installation = Installation::with(&[&format!("update.apiUrl: http://{closed}")]).await;
    let service = installation.serve().await;
    let told = installation.told(&["app:update"]).await;
    nothing_changed(&installation, &service, &told, "GitHub cannot be reached (").await;
    service.stop().await;
}

/// Makes a world in which the rate limit was met while the clock was wrong, and restarts it with the right clock.
async fn by_a_clock_that_is_put_right(wrong: SignedDuration) -> World {
    let mut world = releases::world(&[]).await;
    releases::publish(&world, releases::release("0.1.1"));
    let right = world.clock.now();
    world.restart_with_the_clock_at(right + wrong).await;
    let wrongly = world.context.clock.clone();
    let updates = releases::updates_by(&world, &wrongly);
    assert!(matches!(updates.check().await.unwrap(), UpdateCheck::Available(_)), "a wrong clock is no obstacle");
    world.sandbox.github(|github| github.throttle = Some(Throttle::ComeBackAfter(403, 600)));
    match updates.check().await.unwrap() {
        UpdateCheck::Cannot(UpdateObstacle::LimitReached { until }) => {
            assert_eq!(until.duration_since(wrongly.now()), SignedDuration::from_mins(10));
        }
        other @ (UpdateCheck::Available(_) | UpdateCheck::Cannot(_) | UpdateCheck::UpToDate | UpdateCheck::NotYet) => {
            panic!("{other:?}")
        }
    }
    world.sandbox.github(|github| github.throttle = None);
    world.restart_with_the_clock_at(right).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_wrong_keeps_nobody_from_looking_once_it_is_right() {
    for wrong in [SignedDuration::from_hours(-24), SignedDuration::from_hours(24 * 365)] {
        let world = by_a_clock_that_is_put_right(wrong).await;
        let updates = releases::updates(&world);
        let answer = updates.check().await.unwrap();
        assert!(matches!(answer, UpdateCheck::Available(_)), "{wrong:?}: {answer:?}");
    }
}
