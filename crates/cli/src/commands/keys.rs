//! `seawall keys`: API keys of this server's callers. A running server takes changes over by itself, within a second.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use http::Method;
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_config::units;
use seawall_policy::Preset;
use seawall_store::{KEY_PREFIX, KeyBudget, KeyRow, Keys, StoreError};
use seawall_store_sqlite::SqliteStore;
use seawall_types::{Clock, Mode, Pattern, Timestamp, Usd};
use serde_json::{Value, json};

use super::World;
use crate::args::{KeysCommand, NewKey};
use crate::exit::{Failure, Outcome};
use crate::{boot, client, output, policy, settings};

pub(crate) fn run(world: &World<'_>, command: KeysCommand) -> Outcome {
    let store = open(world)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    match command {
        KeysCommand::List => return list(world, &store, clock.now()),
        KeysCommand::Create(wanted) => create(world, &store, &*clock, wanted)?,
        KeysCommand::Rotate { name, overlap } => rotate(world, &store, &*clock, &name, &overlap)?,
        KeysCommand::Revoke { name } => {
            store.revoke(&name, clock.now()).map_err(refused)?;
            tell_server(world);
            say(world, &json!({ "revoked": name }), &format!("revoked {name}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A running server is told at once, so that the change holds when this command returns. One that can't be told looks by
/// itself, twice a second.
fn tell_server(world: &World<'_>) {
    let Some(server) = client::running(&world.data_dir()) else { return };
    if let Err(error) = client::ask(&server, Method::POST, "/admin/keys/reload", None) {
        tracing::warn!(%error, "the running server could not be told; it will notice within a second");
    }
}

/// The store that the configuration names.
pub(crate) fn open(world: &World<'_>) -> Result<SqliteStore, Failure> {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let (_, settings) = settings::load(&sources).map_err(Failure::usage)?;
    let data_dir = world.data_dir();
    boot::make_private_dir(&data_dir)?;
    Ok(SqliteStore::open(&settings.database(&data_dir))?)
}

fn create(world: &World<'_>, store: &SqliteStore, clock: &dyn Clock, wanted: NewKey) -> Result<(), Failure> {
    let (key, hash) = new_key()?;
    let policy = wanted.policy.as_deref().map(|name| known_policy(world, name)).transpose()?;
    let row = KeyRow { policy, ..row(wanted, &key, hash, clock)? };
    store.create(&row).map_err(refused)?;
    tell(world, &key, &row);
    Ok(())
}

fn tell(world: &World<'_>, key: &str, row: &KeyRow) {
    tell_server(world);
    let answer = json!({ "key": key, "id": row.id, "name": row.name });
    say(world, &answer, key);
    if !world.global.json {
        output::say("this is the only time that the key is shown");
    }
}

fn row(wanted: NewKey, key: &str, hash: [u8; 32], clock: &dyn Clock) -> Result<KeyRow, Failure> {
    let now = clock.now();
    let NewKey { name, tenant, budget, rpm, tpm, models, policy, expires, ip, role } = wanted;
    check_name("--name", &name)?;
    if let Some(tenant) = &tenant {
        check_name("--tenant", tenant)?;
    }
    for address in &ip {
        let is_address =
            address.parse::<ipnet::IpNet>().is_ok() || address.parse::<std::net::IpAddr>().is_ok();
        if !is_address {
            return Err(Failure::usage(format!("--ip: {address:?} is not an address range like 10.0.0.0/8")));
        }
    }
    for model in &models {
        let wrong = |error| Failure::usage(format!("--models: {model:?}: {error}"));
        model.parse::<Pattern>().map(drop).map_err(wrong)?;
    }
    if let Some(role) = role.iter().find(|role| !["viewer", "operator", "admin"].contains(&role.as_str())) {
        return Err(Failure::usage(format!("--role: {role:?} is not viewer, operator or admin")));
    }
    let expires_at = expires.as_deref().map(|text| after(now, "--expires", text)).transpose()?;
    Ok(KeyRow {
        id: id::new_key(clock),
        name,
        tenant,
        hash,
        prefix: key.chars().take(KEY_PREFIX.len() + 4).collect(),
        created_at: now,
        expires_at,
        revoked_at: None,
        rotated_to: None,
        budget: budget.as_deref().map(read_budget).transpose()?,
        rpm,
        tpm,
        models,
        ips: ip,
        policy,
        scopes: role,
    })
}

/// The policy's name as the server finds it: that of a preset, or a file's whole path, since the server may run in another
/// folder. It must be one that can be read now.
fn known_policy(world: &World<'_>, name: &str) -> Result<String, Failure> {
    let wrong = |error: String| Failure::usage(format!("--policy: {error}"));
    let policy::Named { policy, files } = policy::named(name, Mode::Warn, world.environment);
    policy.map_err(|errors| wrong(policy::faults("policy", &errors)))?;
    // The first file is the one that was named; those that it begins with come after it.
    let Some(file) = files.first().filter(|_| Preset::named(name).is_none()) else {
        return Ok(name.to_owned());
    };
    let whole = std::fs::canonicalize(file).with_context(|| format!("where {} is", file.display()))?;
    whole.into_os_string().into_string().map_err(|path| wrong(format!("{} is no text", path.display())))
}

/// Names stand in scopes, labels and paths.
fn check_name(flag: &str, name: &str) -> Result<(), Failure> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_good) {
        return Err(Failure::usage(format!(
            "{flag}: {name:?} is not 1 to 64 letters, digits, dots, dashes and underscores"
        )));
    }
    Ok(())
}

fn after(now: Timestamp, flag: &str, text: &str) -> Result<Timestamp, Failure> {
    let duration = units::parse_duration(text).map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    Ok(now.saturating_add(duration))
}

/// `10`, `1/minute`, `5/day`, `100/month`.
fn read_budget(text: &str) -> Result<KeyBudget, Failure> {
    let (usd, window) = text.split_once('/').unwrap_or((text, "total"));
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("--budget: {error}"));
    Ok(KeyBudget {
        usd: usd.parse::<Usd>().map_err(|error| wrong(&error))?,
        window: window.parse().map_err(|error: String| wrong(&error))?,
    })
}

/// A key of 256 random bits, and its hash.
fn new_key() -> Result<(String, [u8; 32]), Failure> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 52];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness from the kernel: {error}"))?;
    // Five bits a character, 52 characters.
    let secret =
        bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|&byte| char::from(byte));
    let key: String = KEY_PREFIX.chars().chain(secret).collect();
    let hash = *blake3::hash(key.as_bytes()).as_bytes();
    Ok((key, hash))
}

fn rotate(
    world: &World<'_>,
    store: &SqliteStore,
    clock: &dyn Clock,
    name: &str,
    overlap: &str,
) -> Result<(), Failure> {
    let now = clock.now();
    let until = after(now, "--overlap", overlap)?;
    let unknown = || Failure::usage(format!("there is no key {name:?}; `seawall keys list` shows all"));
    let old = store.by_name(name)?.ok_or_else(unknown)?;
    let (key, hash) = new_key()?;
    let prefix = key.chars().take(KEY_PREFIX.len() + 4).collect();
    let next = KeyRow {
        id: id::new_key(clock),
        hash,
        prefix,
        created_at: now,
        revoked_at: None,
        rotated_to: None,
        ..old
    };
    store.rotate(name, &next, until).map_err(refused)?;
    tell(world, &key, &next);
    Ok(())
}

fn list(world: &World<'_>, store: &SqliteStore, now: Timestamp) -> Outcome {
    let rows = Keys::list(store)?;
    if world.global.json {
        output::json(&json!({ "keys": rows.iter().map(|row| shown(row, now)).collect::<Vec<_>>() }));
        return Ok(ExitCode::SUCCESS);
    }
    let cells = |row: &KeyRow| {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            row.name.clone(),
            format!("{}…", row.prefix),
            state(row, now).to_owned(),
            text(row.tenant.clone()),
            text(row.budget.map(|budget| format!("${}/{}", budget.usd, budget.window))),
            text(row.policy.clone()),
            text(row.expires_at.map(|at| at.to_string())),
        ]
    };
    output::table(
        &["NAME", "KEY", "STATE", "TENANT", "BUDGET", "POLICY", "EXPIRES"],
        &rows.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(ExitCode::SUCCESS)
}

fn shown(row: &KeyRow, now: Timestamp) -> Value {
    let mut value = json!(row);
    if let Some(map) = value.as_object_mut() {
        map.insert("state".to_owned(), json!(state(row, now)));
    }
    value
}

fn state(row: &KeyRow, now: Timestamp) -> &'static str {
    match (row.revoked_at, row.expires_at) {
        (Some(at), _) if at <= now => "revoked",
        (_, Some(at)) if at <= now => "expired",
        (Some(_), _) => "ending",
        _ => "active",
    }
}

fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict { .. } | StoreError::NotFound { .. } => Failure::usage(error),
        other => other.into(),
    }
}

fn say(world: &World<'_>, json: &Value, text: &str) {
    if world.global.json { output::json(json) } else { output::line(text) }
}
