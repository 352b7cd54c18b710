//! Addresses and credentials that a client needs, also rendered as a configuration file.

use std::net::SocketAddr;

use jiff::civil::Date;

use crate::platform::secret::Secret;

/// Addresses, keys and accounts of one sandbox.
#[derive(Debug, Clone)]
pub struct SandboxCredentials {
    /// Mirakl's base URL.
    pub mirakl_url: String,
    /// Mirakl's raw operator key.
    pub operator_key: Secret,
    /// A bearer token that does not expire.
    pub bearer_token: Secret,
    /// Mirakl's OAuth2 client.
    pub client_id: String,
    /// Secret of the OAuth2 client.
    pub client_secret: Secret,
    /// URL of the token endpoint.
    pub auth_url: String,
    /// HiPay's base URL, without `/api`.
    pub hipay_url: String,
    /// HiPay's web service login.
    pub ws_login: String,
    /// HiPay's web service password.
    pub ws_password: Secret,
    /// The entity to create accounts in.
    pub entity: String,
    /// The group that the marketplace's accounts belong to.
    pub merchant_group: String,
    /// HiPay ID of the technical account.
    pub technical_id: u64,
    /// E-mail of the technical account.
    pub technical_email: String,
    /// HiPay ID of the operator account.
    pub operator_id: u64,
    /// E-mail of the operator account.
    pub operator_email: String,
    /// Passphrase with which HiPay Enterprise signs its notifications (SHA-256).
    pub enterprise_passphrase: Secret,
    /// `cycle.days` of the rendered configuration.
    pub cycle_days: Vec<i8>,
    /// `cashout.firstCycle` of the rendered configuration; `None` leaves it out.
    pub first_cycle: Option<Date>,
}

impl SandboxCredentials {
    pub(super) fn new(mirakl: SocketAddr, hipay: SocketAddr) -> Self {
        Self {
            mirakl_url: format!("http://{mirakl}"),
            operator_key: Secret::new("sandbox-operator-key"),
            bearer_token: Secret::new("sandbox-bearer-token"),
            client_id: "sandbox-client".to_owned(),
            client_secret: Secret::new("sandbox-client-secret"),
            auth_url: format!("http://{mirakl}/oauth/token"),
            hipay_url: format!("http://{hipay}"),
            ws_login: "sandbox-login".to_owned(),
            ws_password: Secret::new("sandbox-password"),
            entity: "sandbox_entity".to_owned(),
            merchant_group: "sandbox_group".to_owned(),
            technical_id: 400_001,
            technical_email: "technical@marketplace.example".to_owned(),
            operator_id: 400_002,
            operator_email: "operator@marketplace.example".to_owned(),
            enterprise_passphrase: Secret::new("sandbox-enterprise-passphrase"),
            cycle_days: vec![1, 11, 21],
            first_cycle: None,
        }
    }

    /// Returns a complete `parameters.yml` for this sandbox, with the raw operator key for Mirakl.
    /// More keys may be appended, each on its own line, indented by four spaces.
    pub fn parameters_yml(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut settings = vec![
            ("mirakl.baseUrl", quoted(&self.mirakl_url)),
            ("mirakl.operatorKey", quoted(self.operator_key.expose())),
            ("mirakl.voucherSource", "invoices".to_owned()),
            ("hipay.baseRestUrl", quoted(&self.hipay_url)),
            ("hipay.wsLogin", quoted(&self.ws_login)),
            ("hipay.wsPassword", quoted(self.ws_password.expose())),
            ("hipay.entity", quoted(&self.entity)),
            ("hipay.merchantGroupId", quoted(&self.merchant_group)),
            ("hipay.locale", "fr_FR".to_owned()),
            ("hipay.timezone", "Europe/Paris".to_owned()),
            ("hipay.enterprise.passphrase", quoted(self.enterprise_passphrase.expose())),
            ("account.technical.email", quoted(&self.technical_email)),
            ("account.technical.hipayId", self.technical_id.to_string()),
            ("account.operator.email", quoted(&self.operator_email)),
            ("account.operator.hipayId", self.operator_id.to_string()),
            ("label.public", quoted("Sales of {{cycleDate}}")),
            ("label.private", quoted("{{miraklId}} {{paymentVoucher}} {{amount}}")),
            ("label.withdraw", quoted("Sales of {{cycleDate}}, {{hipayId}}")),
            ("cycle.days", format!("{:?}", self.cycle_days)),
            ("cycle.hour", "0".to_owned()),
            ("cycle.minute", "0".to_owned()),
            ("cycle.interval.before", quoted("12 hours")),
            ("cycle.interval.after", quoted("12 hours")),
            ("cashout.negativeVouchers", "adjust".to_owned()),
        ];
        if let Some(cycle) = self.first_cycle {
            settings.push(("cashout.firstCycle", quoted(&cycle.to_string())));
        }
        let lines: Vec<String> = settings.into_iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
        format!("parameters:\n{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_yaml_with_flat_dotted_keys() {
        let address: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let mut credentials = SandboxCredentials::new(address, address);
        credentials.ws_password = Secret::new("it's: #tricky");
        credentials.first_cycle = Some(jiff::civil::date(2026, 11, 1));
        let read: serde_yaml::Value = serde_yaml::from_str(&credentials.parameters_yml()).unwrap();
        let text = |key: &str| read["parameters"][key].as_str().unwrap().to_owned();
        assert_eq!(text("mirakl.baseUrl"), "http://127.0.0.1:4711");
        assert_eq!(text("hipay.wsPassword"), "it's: #tricky");
        assert_eq!(text("cashout.firstCycle"), "2026-11-01");
        assert_eq!(read["parameters"]["account.technical.hipayId"].as_u64(), Some(400_001));
    }
}
