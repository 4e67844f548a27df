//! The address of a store: libpq's URL, with a few words of our own.
//!
//! Written as for `psql` (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>):
//! `postgres://user:password@host:port/database?sslmode=verify-full`. The password is in no printed form of it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::SslMode;

/// How to reach PostgreSQL, and with how many connections.
#[derive(Clone)]
pub struct Options {
    pub(crate) server: tokio_postgres::Config,
    pub(crate) verify: Verify,
    /// Certificate authorities, where others than the machine's are to be trusted.
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) prepared: Option<bool>,
    /// Connections at once.
    pub(crate) pool_max: usize,
    /// How long a connection may be idle.
    pub(crate) pool_idle: Duration,
    /// How long a call waits for a connection.
    pub(crate) pool_wait: Duration,
}

/// What of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Nothing but that the server has its key: as libpq, for `prefer` and `require`.
    Nothing,
    /// That somebody who is trusted has signed it.
    Authority,
    /// That too, and that it is for the host's name.
    Name,
}

/// The address can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// It is no URL of PostgreSQL.
    #[error(
        "the store's address is no URL of PostgreSQL ({0}): use postgres://user:password@host:port/database"
    )]
    Url(String),
    /// A parameter has a value that it can't have.
    #[error("the store's address has {name}={value:?}: use {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl Options {
    /// Reads a URL of libpq, with these parameters more:
    ///
    /// - `sslmode`: `disable`, `prefer` (default), `require`, `verify-ca`, `verify-full`; `sslrootcert`: a PEM file
    /// - `prepared`: `auto` (default), `on`, `off`: whether statements are kept by connections, which a pooler between breaks
    /// - `pool_max` (10) connections, idle for `pool_idle` (30) seconds at most, waited for `pool_wait` (5) seconds
    ///
    /// # Errors
    /// [`OptionsError`], without the password.
    pub fn parse(url: &str) -> Result<Self, OptionsError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(OptionsError::Url("it begins otherwise".to_owned()));
        }
        let (ours, theirs): (Vec<_>, Vec<_>) =
            query.split('&').filter(|part| !part.is_empty()).partition(|part| is_ours(part));
        let rest =
            if theirs.is_empty() { address.to_owned() } else { format!("{address}?{}", theirs.join("&")) };
        let server: tokio_postgres::Config =
            rest.parse().map_err(|error: tokio_postgres::Error| OptionsError::Url(error.to_string()))?;
        let mut options = Self {
            server,
            verify: Verify::Nothing,
            authorities: None,
            prepared: None,
            pool_max: 10,
            pool_idle: Duration::from_secs(30),
            pool_wait: Duration::from_secs(5),
        };
        for (name, value) in url::form_urlencoded::parse(ours.join("&").as_bytes()) {
            options.set(&name, &value)?;
        }
        options.fill();
        Ok(options)
    }

    /// Has tables without a schema looked for in this one alone.
    pub(crate) fn search(&mut self, schema: &str) {
        let options = self.server.get_options().unwrap_or_default();
        let options = format!("{options} -c search_path={schema}");
        self.server.options(options);
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionsError> {
        match name {
            "sslmode" => self.encrypt(value)?,
            "sslrootcert" => self.authorities = Some(value.into()),
            "prepared" => {
                self.prepared = match value {
                    "auto" => None,
                    "on" => Some(true),
                    "off" => Some(false),
                    _ => return Err(wrong("prepared", value, "auto, on or off")),
                }
            }
            "pool_max" => {
                let most = value.parse().ok().filter(|most| *most > 0);
                self.pool_max = most.ok_or_else(|| wrong("pool_max", value, "a number from 1"))?;
            }
            "pool_idle" => self.pool_idle = seconds("pool_idle", value)?,
            _ => self.pool_wait = seconds("pool_wait", value)?,
        }
        Ok(())
    }

    fn encrypt(&mut self, mode: &str) -> Result<(), OptionsError> {
        let (encrypted, verify) = match mode {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::Name),
            _ => return Err(wrong("sslmode", mode, "disable, prefer, require, verify-ca or verify-full")),
        };
        self.server.ssl_mode(encrypted);
        self.verify = verify;
        Ok(())
    }

    /// What the URL says nothing of. A connection that died without a word is found within a minute.
    fn fill(&mut self) {
        let server = &mut self.server;
        if server.get_connect_timeout().is_none() {
            server.connect_timeout(Duration::from_secs(5));
        }
        if server.get_application_name().is_none() {
            server.application_name("seawall");
        }
        if server.get_keepalives_interval().is_none() {
            server.keepalives_idle(Duration::from_secs(30));
            server.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
        }
        if server.get_tcp_user_timeout().is_none() {
            server.tcp_user_timeout(Duration::from_secs(60));
        }
        // As libpq: who names authorities wants them asked.
        if self.authorities.is_some()
            && self.verify == Verify::Nothing
            && server.get_ssl_mode() == SslMode::Require
        {
            self.verify = Verify::Authority;
        }
    }
}

fn is_ours(part: &str) -> bool {
    let name = part.split('=').next().unwrap_or_default();
    ["sslmode", "sslrootcert", "prepared", "pool_max", "pool_idle", "pool_wait"].contains(&name)
}

fn seconds(name: &'static str, value: &str) -> Result<Duration, OptionsError> {
    let seconds = value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| wrong(name, value, "seconds from 1 to 86400"))
}

fn wrong(name: &'static str, value: &str, expected: &'static str) -> OptionsError {
    OptionsError::Parameter { name, value: value.to_owned(), expected }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hosts", &self.server.get_hosts())
            .field("ports", &self.server.get_ports())
            .field("database", &self.server.get_dbname())
            .field("user", &self.server.get_user())
            .field("verify", &self.verify)
            .field("prepared", &self.prepared)
            .field("pool_max", &self.pool_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Options {
        Options::parse(&format!("postgres://anna:geheim@db.example:6432/agents{query}")).unwrap()
    }

    #[test]
    fn what_a_url_says_nothing_of_is_as_the_guide_has_it() {
        let options = parsed("");
        assert_eq!((options.pool_max, options.pool_idle.as_secs(), options.pool_wait.as_secs()), (10, 30, 5));
        assert_eq!(options.server.get_connect_timeout(), Some(&Duration::from_secs(5)));
        assert_eq!((options.verify, options.prepared), (Verify::Nothing, None));
        assert_eq!((options.server.get_user(), options.server.get_dbname()), (Some("anna"), Some("agents")));
    }

    #[test]
    fn our_words_and_those_of_libpq_stand_side_by_side() {
        let options = parsed(
            "?sslmode=verify-full&application_name=x&pool_max=3&prepared=off&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=2",
        );
        assert_eq!((options.verify, options.server.get_ssl_mode()), (Verify::Name, SslMode::Require));
        assert_eq!((options.pool_max, options.prepared), (3, Some(false)));
        assert_eq!(options.authorities, Some("/etc/ca.pem".into()));
        assert_eq!(options.server.get_application_name(), Some("x"));
        assert_eq!(options.server.get_connect_timeout(), Some(&Duration::from_secs(2)));
        let socket = Options::parse("postgresql:///agents?host=/run/postgresql&user=u").unwrap();
        assert_eq!(socket.server.get_hosts().len(), 1);
    }

    #[test]
    fn who_names_an_authority_has_it_asked() {
        assert_eq!(parsed("?sslmode=require&sslrootcert=ca.pem").verify, Verify::Authority);
        assert_eq!(parsed("?sslrootcert=ca.pem").verify, Verify::Nothing);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for query in [
            "?sslmode=allow",
            "?prepared=maybe",
            "?pool_max=0",
            "?pool_idle=x",
            "?pool_wait=0",
            "?nonsense=1",
        ] {
            let error = Options::parse(&format!("postgres://anna:geheim@db/agents{query}")).unwrap_err();
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
        for url in ["", "mysql://x", "sqlite:x", "postgres://anna:geheim@db:port/x"] {
            let error = Options::parse(url).unwrap_err();
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
        assert!(!format!("{:?}", parsed("")).contains("geheim"));
    }
}
