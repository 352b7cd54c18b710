//! Commands run as root: they leave no file that the service's user cannot open.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running::{Told, told};
use crate::world::World;

/// The user that represents the service: "nobody" on every system.
const SERVICE: u32 = 65_534;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn is_root() -> bool {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("SKIPPED: only root can give a folder to another user");
    }
    root
}

/// A separate installation: the binary, the configuration and the data folder, which belongs to the service.
struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        let this = Self { folder };
        std::fs::copy(env!("CARGO_BIN_EXE_cashout"), this.binary()).unwrap();
        mode(&this.binary(), 0o755);
        std::fs::copy(world.configuration(), this.configuration()).unwrap();
        mode(&this.configuration(), 0o600);
        std::fs::create_dir(this.data()).unwrap();
        mode(&this.data(), 0o700);
        chown(this.data(), Some(SERVICE), Some(SERVICE)).unwrap();
        this
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("cashout")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("parameters.yml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn told(&self, arguments: &[&str]) -> Told {
        let mut process = Command::new(self.binary());
        process.env_clear().args(arguments);
        process.arg("--config").arg(self.configuration()).arg("--data").arg(self.data());
        told(process).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_root_a_command_works_as_the_owner_of_the_data_folder() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    world.seller(2001);
    world.release_store().await;
    let here = Installation::new(&world);
    chown(here.configuration(), Some(SERVICE), Some(SERVICE)).unwrap();
    here.told(&["check"]).await.ends(0);
    here.told(&["vendor:process", "--json"]).await.ends(0).json();
    let files: Vec<_> = std::fs::read_dir(here.data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (SERVICE, SERVICE), "{}", file.display());
    }
    // The service itself continues with them.
    let mut service = Command::new("setpriv");
    service.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(here.binary());
    service.arg("check").arg("--config").arg(here.configuration()).arg("--data").arg(here.data());
    told(service).await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_the_owner_may_not_read_is_told_with_the_mend() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    world.release_store().await;
    let here = Installation::new(&world);
    let told = here.told(&["vendor:process"]).await;
    told.ends(2).says("this user may not read the file").says("chown cashout");
    assert_eq!(std::fs::read_dir(here.data()).unwrap().count(), 0);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.total()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_that_the_owner_may_not_run_is_told_with_the_mend() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    world.release_store().await;
    let here = Installation::new(&world);
    std::fs::set_permissions(here.binary(), PermissionsExt::from_mode(0o700)).unwrap();
    let told = here.told(&["vendor:process"]).await;
    told.ends(4).says("belongs to user 65534").says("make").says("executable for it");
    assert_eq!(std::fs::read_dir(here.data()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_its_user_may_not_write_is_told() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    world.release_store().await;
    let here = Installation::new(&world);
    chown(here.configuration(), Some(SERVICE), Some(SERVICE)).unwrap();
    std::fs::set_permissions(here.data(), PermissionsExt::from_mode(0o500)).unwrap();
    let told = here.told(&["vendor:process"]).await;
    told.ends(4).says("Permission denied").says("give the folder and the files in it to the user");
    assert_eq!(world.sandbox.traffic(|traffic| traffic.total()), 0);
}
