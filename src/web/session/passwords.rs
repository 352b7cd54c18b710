//! Comparison of a login and a password with the people who may sign in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;

use crate::config::{Config, Role};
use crate::domain::session::is_same;
use crate::platform::secret::Secret;

/// Upper bound on passwords compared with an Argon2id hash at once: each takes a processor and, by default, 19 MiB for
/// a moment.
const MAX_CONCURRENT: usize = 2;

/// Upper bound on passwords from known addresses compared at once.
const MAX_KNOWN_AT_ONCE: usize = 4;

/// Time that a wrong password from a known address keeps its turn: no one there is refused, but guessing takes time all
/// the same.
const WRONG_PASSWORD_DELAY: Duration = Duration::from_secs(1);

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: Role,
    /// Password, or its hash.
    pub(super) password: Secret,
}

/// Returns everyone who may sign in by the current settings. The technical account comes first; it is an operator.
pub(super) fn all_users(config: &Config) -> impl Iterator<Item = Person> {
    let technical =
        Person { name: config.hipay.login.clone(), role: Role::Operator, password: config.hipay.password.clone() };
    let users = config.dashboard.users.iter().map(|user| Person {
        name: user.name.clone(),
        role: user.role,
        password: user.password_hash.clone(),
    });
    std::iter::once(technical).chain(users)
}

/// Comparison of passwords, a few at a time. Clones share the limits.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    turns_of_known: Arc<Semaphore>,
    turns_of_devices: Arc<Semaphore>,
    verified: Arc<AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            turns_of_known: Arc::new(Semaphore::new(MAX_KNOWN_AT_ONCE)),
            turns_of_devices: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            verified: Arc::default(),
        }
    }
}

impl Passwords {
    /// Returns the number of passwords compared with an Argon2id hash.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// Compares like [`Passwords::find_user`], for a device on which somebody has signed in to this account before: guesses
    /// from elsewhere do not hold it up.
    pub(super) async fn find_user_on_known_device(
        &self,
        config: &Config,
        login: &str,
        password: &Secret,
    ) -> Option<Person> {
        self.compare(config, login, password, &self.turns_of_devices).await
    }

    /// Compares like [`Passwords::find_user`], for an address from which somebody has signed in to this account before:
    /// guesses from elsewhere do not hold it up.
    pub(super) async fn find_user_of_known_address(
        &self,
        config: &Config,
        login: &str,
        password: &Secret,
    ) -> Option<Person> {
        let turn = Arc::clone(&self.turns_of_known).acquire_owned().await.ok()?;
        let person = self.compare(config, login, password, &Arc::new(Semaphore::new(1))).await;
        if person.is_none() {
            // Also if the caller goes away.
            tokio::spawn(async move {
                tokio::time::sleep(WRONG_PASSWORD_DELAY).await;
                drop(turn);
            });
        }
        person
    }

    /// Returns the person that login and password belong to, if any. If there are users, one hash is compared whatever
    /// is wrong, so that the time reveals nothing. For an unknown user it is the hash of the first, which was most
    /// likely made at the same cost.
    pub(super) async fn find_user(&self, config: &Config, login: &str, password: &Secret) -> Option<Person> {
        self.compare(config, login, password, &self.turns).await
    }

    async fn compare(&self, config: &Config, login: &str, password: &Secret, turns: &Arc<Semaphore>) -> Option<Person> {
        let mut people = all_users(config);
        let technical = people.next();
        let users: Vec<Person> = people.collect();
        let named = users.iter().find(|user| is_same(&user.name, login));
        let fits = match named.or(users.first()) {
            Some(user) => self.verify(&user.password, password, turns).await,
            None => false,
        };
        let technical = technical.filter(|person| {
            let (login, password) =
                (is_same(&person.name, login), is_same(person.password.expose(), password.expose()));
            login & password & !person.password.is_empty()
        });
        technical.or_else(|| named.filter(|_| fits).cloned())
    }

    async fn verify(&self, hash: &Secret, password: &Secret, turns: &Arc<Semaphore>) -> bool {
        let Ok(turn) = Arc::clone(turns).acquire_owned().await else { return false };
        self.verified.fetch_add(1, Ordering::Relaxed);
        let (hash, password) = (hash.clone(), password.clone());
        let verifying = tokio::task::spawn_blocking(move || {
            // Held here: a caller that stops waiting does not stop the comparison.
            let _turn = turn;
            PasswordHash::new(hash.expose())
                .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
        });
        verifying.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
