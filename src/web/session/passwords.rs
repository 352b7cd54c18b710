//! Whose login and password these are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;

use crate::config::{Config, Role};
use crate::secret::Secret;
use crate::session::is_same;

/// How many passwords are compared with an Argon2id hash at once: each takes a processor and, by
/// default, 19 MiB for a moment.
const AT_ONCE: usize = 2;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: Role,
    /// The password, or its hash.
    pub(super) password: Secret,
}

/// Everybody who may sign in by the settings as they are now. The technical account comes first; it is
/// an operator.
pub(super) fn people(config: &Config) -> impl Iterator<Item = Person> {
    let technical =
        Person { name: config.hipay.login.clone(), role: Role::Operator, password: config.hipay.password.clone() };
    let users = config.dashboard.users.iter().map(|user| Person {
        name: user.name.clone(),
        role: user.role,
        password: user.password_hash.clone(),
    });
    std::iter::once(technical).chain(users)
}

/// Compares passwords, a few at a time. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    verified: Arc<AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), verified: Arc::default() }
    }
}

impl Passwords {
    /// How many passwords have been compared with an Argon2id hash.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// Whose these are; nothing where they are nobody's. Where there are users, one hash is compared,
    /// whatever is wrong: the time tells nothing. Where there is no such user, it is that of the
    /// first, which was most likely made at the same cost.
    pub(super) async fn whose(&self, config: &Config, login: &str, password: &Secret) -> Option<Person> {
        let mut people = people(config);
        let technical = people.next();
        let users: Vec<Person> = people.collect();
        let named = users.iter().find(|user| is_same(&user.name, login));
        let fits = match named.or(users.first()) {
            Some(user) => self.verify(&user.password, password).await,
            None => false,
        };
        let technical = technical.filter(|person| {
            let (login, password) =
                (is_same(&person.name, login), is_same(person.password.expose(), password.expose()));
            login & password & !person.password.is_empty()
        });
        technical.or_else(|| named.filter(|_| fits).cloned())
    }

    async fn verify(&self, hash: &Secret, password: &Secret) -> bool {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return false };
        self.verified.fetch_add(1, Ordering::Relaxed);
        let (hash, password) = (hash.clone(), password.clone());
        let verifying = tokio::task::spawn_blocking(move || {
            // Held here: whoever stops waiting does not stop the comparison.
            let _turn = turn;
            PasswordHash::new(hash.expose())
                .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
        });
        verifying.await.unwrap_or(false)
    }
}
