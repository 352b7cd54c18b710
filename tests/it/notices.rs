//! HiPay's wallet notices as tests send, await and check them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use cashout::domain::inbox::{Notification, NotificationKind, NotificationState};
use cashout::jobs;
use cashout::sandbox::{Document, Sending, Shop};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use md5::{Digest, Md5};

use crate::world::{IBAN, World, http};

/// Upper bound on any wait; only a test that would otherwise hang reaches it.
const FOR_EVER: Duration = Duration::from_mins(1);

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            // Checking uses CPU time that the other side needs meanwhile.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(FOR_EVER, waiting).await.is_ok(), "in vain: {what}");
}

/// Reserves a port for the appliance and returns its URL before the start.
pub(crate) fn port() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Adds a shop with all its documents and no wallet yet; `proof` is the file that accompanies its bank details.
pub(crate) fn newcomer(world: &World, id: u64, proof: &str) {
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(id, "Newcomer");
        shop.email = Some(format!("contact{id}@shops.example"));
        if let Some(payment) = &mut shop.payment {
            IBAN.clone_into(&mut payment.iban);
        }
        mirakl.shops.push(shop);
        let documents = [
            ("LEGAL_IDENTITY_OF_REPRESENTATIVE", "identity.pdf"),
            ("LEGAL_PROOF_OF_REGISTRATION_NUMBER", "register.pdf"),
            ("ALL_PROOF_OF_BANK_ACCOUNT", proof),
        ];
        for (number, (kind, file)) in (id * 10..).zip(documents) {
            mirakl.documents.push(Document::new(number, id, kind, file));
        }
    });
}

impl World {
    /// Starts the appliance and makes HiPay send it notices about every existing account.
    pub(crate) async fn heard(&self) -> Appliance {
        let (listener, url) = port();
        self.heard_on(listener, &url).await
    }

    /// Starts the appliance on the test's own port, with notices about every existing account.
    pub(crate) async fn heard_on(&self, listener: std::net::TcpListener, url: &str) -> Appliance {
        let appliance = self.serve_on(listener).await;
        let config = &self.context.config;
        let (technical, operator) = (config.technical_account.hipay_id, config.operator_account.hipay_id);
        for account in [technical, operator] {
            let known = async {
                while jobs::callback_salt(&self.context, account).await.unwrap().is_none() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            assert!(tokio::time::timeout(FOR_EVER, known).await.is_ok(), "the salt of {account} is not read");
        }
        self.tell(&format!("{url}/notifications/wallet"));
        appliance
    }

    /// Makes HiPay send notices about every existing account to this address.
    pub(crate) fn tell(&self, url: &str) {
        self.sandbox.hipay(|hipay| {
            hipay.notify.sending = Sending::On;
            for account in hipay.accounts.values_mut() {
                account.callback_url = Some(url.to_owned());
            }
        });
    }

    /// Waits until every notice has been sent, and processed as far as currently possible.
    pub(crate) async fn all_heard(&self) {
        self.sandbox.notices_delivered().await;
        until("every notification dealt with", || {
            let now = self.clock.now();
            self.notifications().iter().all(|one| !one.is_due(now))
        })
        .await;
    }

    /// Returns everything in the inbox, in the order of arrival.
    pub(crate) fn notifications(&self) -> Vec<Notification> {
        let query = Query::all().limit(100_000);
        self.context.store.read(|reader| Ok(reader.page(&query)?.items)).unwrap()
    }

    /// Returns the notifications with this action.
    pub(crate) fn notifications_of(&self, action: &str) -> Vec<Notification> {
        self.notifications().into_iter().filter(|one| one.action == action).collect()
    }

    /// Returns the state and the outcome of each notification with this action.
    pub(crate) fn told_of(&self, action: &str) -> Vec<(NotificationState, String)> {
        self.notifications_of(action).into_iter().map(|one| (one.state, one.message.to_string())).collect()
    }

    /// Returns the number of notifications in this state, by the index.
    pub(crate) fn count_of(&self, state: NotificationState) -> u64 {
        let group = (NotificationKind::Wallet, state);
        self.context.store.read(|reader| reader.count(Notification::BY_KIND, group)).unwrap()
    }
}

/// A notice that a test writes.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    elements: Vec<(&'static str, String)>,
    salt: String,
}

impl Notice {
    /// Makes a notice about `account`, signed with the salt that the sandbox gives it.
    pub(crate) fn new(operation: &str, status: &str, account: u64) -> Self {
        let elements = vec![
            ("operation", operation.to_owned()),
            ("status", status.to_owned()),
            ("date", "2026-11-12".to_owned()),
            ("time", "08:00:00 UTC+0000".to_owned()),
            ("account_id", account.to_string()),
        ];
        Self { elements, salt: format!("salt-of-{account}") }
    }

    /// Adds an element, or replaces its text.
    pub(crate) fn with(mut self, name: &'static str, text: &str) -> Self {
        self.elements.retain(|(known, _)| *known != name);
        self.elements.push((name, text.to_owned()));
        self
    }

    /// Makes the notice about a transaction of this amount.
    pub(crate) fn of(self, transaction_id: &str, amount: &str) -> Self {
        self.with("transid", transaction_id).with("amount", amount).with("currency", "EUR")
    }

    /// Signs the notice with another salt.
    pub(crate) fn salted(mut self, salt: &str) -> Self {
        salt.clone_into(&mut self.salt);
        self
    }

    /// Returns the XML document.
    pub(crate) fn xml(&self) -> String {
        let mut result = "<result>".to_owned();
        for (name, text) in &self.elements {
            write!(result, "<{name}>{text}</{name}>").unwrap();
        }
        result.push_str("</result>");
        let digits: Vec<String> =
            Md5::digest(format!("{result}{}", self.salt)).iter().map(|byte| format!("{byte:02x}")).collect();
        let checksum = digits.concat();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><notification><md5content>{checksum}</md5content>{result}</notification>"
        )
    }

    /// Sends the notice to the appliance and returns the HTTP status of the answer.
    pub(crate) async fn send(&self, to: SocketAddr) -> u16 {
        post(to, "/notifications/wallet", &self.xml()).await.0
    }
}

/// Sends a document as HiPay does; returns status and body of the answer.
pub(crate) async fn post(to: SocketAddr, path: &str, xml: &str) -> (u16, String) {
    let answer = http().post(format!("http://{to}{path}")).form(&[("xml", xml)]).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
