//! Makes texts that hold one match each, and texts that nearly do.
//!
//! No key stands here in one piece: they are put together from a prefix and drawn characters, so that scanners of this
//! repository find none.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use seawall_detect::Kind;

/// A text with a match in it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) before: String,
    pub(crate) matched: String,
    pub(crate) after: String,
}

impl Sample {
    pub(crate) fn text(&self) -> String {
        format!("{}{}{}", self.before, self.matched, self.after)
    }
}

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn drawn(rng: &mut Rng, alphabet: &str, length: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    (0..length).map(|_| letters[rng.usize(..letters.len())]).collect()
}

fn digits(rng: &mut Rng, length: usize) -> String {
    drawn(rng, "0123456789", length)
}

/// The prefix, the alphabet and the length of keys that are as long as their maker says, and no longer.
const EXACT: &[(Kind, &str, &str, usize)] = &[
    (Kind::GoogleKey, "AIza", ALNUM, 35),
    (Kind::GithubToken, "ghp_", ALNUM, 36),
    (Kind::GithubToken, "gho_", ALNUM, 36),
    (Kind::GithubToken, "ghu_", ALNUM, 36),
    (Kind::GithubToken, "ghs_", ALNUM, 36),
    (Kind::GithubToken, "ghr_", ALNUM, 36),
    (Kind::GithubToken, "github_pat_", ALNUM, 82),
    (Kind::AwsAccessKey, "AKIA", BASE32, 16),
    (Kind::AwsAccessKey, "ASIA", BASE32, 16),
    (Kind::TwilioKey, "SK", HEX, 32),
    (Kind::NpmToken, "npm_", ALNUM, 36),
    (Kind::DigitalOceanToken, "dop_v1_", HEX, 64),
    (Kind::DockerToken, "dckr_pat_", ALNUM, 27),
    (Kind::DatabricksToken, "dapi", HEX, 32),
    (Kind::AgeKey, "AGE-SECRET-KEY-1", UPPER, 58),
    (Kind::DockerToken, "dckr_oat_", ALNUM, 32),
    (Kind::ServiceToken, "shpat_", HEX, 32),
    (Kind::ServiceToken, "lin_api_", HEX, 40),
    (Kind::ServiceToken, "sntryu_", HEX, 64),
];

/// The same of keys whose length is a least one.
const AT_LEAST: &[(Kind, &str, &str, usize)] = &[
    (Kind::OpenAiKey, "sk-", ALNUM, 48),
    (Kind::OpenAiKey, "sk-proj-", ALNUM, 156),
    (Kind::OpenAiKey, "sk-svcacct-", ALNUM, 120),
    (Kind::OpenAiKey, "sk-admin-", ALNUM, 120),
    (Kind::AnthropicKey, "sk-ant-api03-", ALNUM, 95),
    (Kind::SeawallKey, "sk-sw-", ALNUM, 40),
    (Kind::GitlabToken, "glpat-", ALNUM, 20),
    (Kind::SlackToken, "xoxb-", ALNUM, 48),
    (Kind::SlackToken, "xoxp-", ALNUM, 60),
    (Kind::SlackToken, "xapp-", ALNUM, 80),
    (Kind::StripeKey, "sk_live_", ALNUM, 24),
    (Kind::StripeKey, "rk_live_", ALNUM, 99),
    (Kind::StripeKey, "whsec_", ALNUM, 32),
    (Kind::PypiToken, "pypi-AgEIcHlwaS5vcmc", ALNUM, 120),
    (Kind::HuggingFaceToken, "hf_", ALNUM, 34),
    (Kind::GroqKey, "gsk_", ALNUM, 52),
    (Kind::XaiKey, "xai-", ALNUM, 80),
    (Kind::PerplexityKey, "pplx-", ALNUM, 48),
    (Kind::GitlabToken, "glrt-", ALNUM, 20),
    (Kind::ServiceToken, "nvapi-", ALNUM, 64),
    (Kind::ServiceToken, "pdl_live_apikey_", HEX, 52),
];

fn sample(kind: Kind, before: &str, matched: String, after: &str) -> Sample {
    Sample { kind, before: before.to_owned(), matched, after: after.to_owned() }
}

/// One sample of every rule and of every way of writing a kind.
pub(crate) fn positives(rng: &mut Rng) -> Vec<Sample> {
    let mut samples = Vec::new();
    let around =
        [("use ", " here"), ("KEY=", "\n"), ("(\"", "\")"), ("", ""), ("see\n", "."), ("你好 ", "，谢谢")];
    for (kind, prefix, alphabet, length) in EXACT.iter().chain(AT_LEAST) {
        let (before, after) = around[rng.usize(..around.len())];
        samples.push(sample(*kind, before, format!("{prefix}{}", drawn(rng, alphabet, *length)), after));
    }
    let sendgrid = format!("SG.{}.{}", drawn(rng, ALNUM, 22), drawn(rng, ALNUM, 43));
    samples.push(sample(Kind::SendgridKey, "mail with ", sendgrid, " today"));
    samples.push(sample(Kind::Jwt, "cookie ", jwt(rng, 200), " sent"));
    structured(rng, &mut samples);
    named(rng, &mut samples);
    personal(rng, &mut samples);
    samples
}

pub(crate) fn jwt(rng: &mut Rng, payload: usize) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    format!("{header}.{}.{}", drawn(rng, ALNUM, payload), drawn(rng, ALNUM, 43))
}

pub(crate) fn pem(rng: &mut Rng, label: &str, lines: usize, line_end: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----{line_end}");
    for _ in 0..lines {
        let _ = write!(text, "{}{line_end}", drawn(rng, BASE64, 64));
    }
    text + &format!("-----END {label}-----")
}

fn structured(rng: &mut Rng, samples: &mut Vec<Sample>) {
    for label in [
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        samples.push(sample(Kind::PrivateKey, "the key:\n", pem(rng, label, 12, "\n"), "\nkeep it"));
        samples.push(sample(Kind::PrivateKey, "k = '", pem(rng, label, 3, "\\n"), "'"));
    }
    let armoured = pem(rng, "RSA PRIVATE KEY", 4, "\n").replacen(
        "-----\n",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n",
        1,
    );
    samples.push(sample(Kind::PrivateKey, "", armoured, "\n"));
    for scheme in ["postgres", "postgresql", "mysql", "mongodb+srv", "redis", "amqp", "https"] {
        let password = drawn(rng, ALNUM, 14);
        samples.push(sample(
            Kind::Connection,
            &format!("{scheme}://"),
            format!("app:{password}"),
            "@db.internal:5432/x",
        ));
    }
    let hook = format!(
        "hooks.slack.com/services/T{}/B{}/{}",
        drawn(rng, UPPER, 9),
        drawn(rng, UPPER, 9),
        drawn(rng, ALNUM, 24)
    );
    samples.push(sample(Kind::SlackWebhook, "https://", hook, " posts"));
}

fn named(rng: &mut Rng, samples: &mut Vec<Sample>) {
    for scheme in ["Bearer", "bearer", "Basic", "Token"] {
        let before = format!("Authorization: {scheme} ");
        samples.push(sample(Kind::Authorization, &before, drawn(rng, ALNUM, 32), "\r\n"));
    }
    samples.push(sample(Kind::AwsSecretKey, "aws_secret_access_key = ", drawn(rng, BASE64, 40), "\n"));
    samples.push(sample(Kind::AwsSecretKey, "\"SecretAccessKey\": \"", drawn(rng, BASE64, 40), "\","));
    samples.push(sample(
        Kind::AzureStorageKey,
        "AccountName=x;AccountKey=",
        drawn(rng, BASE64, 86) + "==",
        ";Endpoint=y",
    ));
    let names = [
        "api_key=",
        "API_KEY: ",
        "\"apiKey\": \"",
        "client_secret = '",
        "X-Api-Key: ",
        "auth_token=",
        "secretKey := \"",
        "\\\"token\\\": \\\"",
        "os.environ[\"SERVICE_TOKEN\"] = \"",
        "private-key => '",
    ];
    for name in names {
        let close = if name.ends_with('"') {
            "\""
        } else if name.ends_with('\'') {
            "'"
        } else {
            "\n"
        };
        samples.push(sample(Kind::NamedSecret, name, drawn(rng, HEX, 40), close));
        samples.push(sample(Kind::NamedSecret, name, drawn(rng, ALNUM, 32) + "7a", close));
    }
    for (name, value, after) in [
        ("password=", "hunter2hunter", "\n"),
        ("\"password\": \"", "Tr0ub4dor&3", "\"}"),
        ("DB_PASSWORD: ", "s3cr3t-Passw0rd!", "\n"),
        ("pwd='", "correct horse 9 battery", "'"),
    ] {
        samples.push(sample(Kind::NamedSecret, name, value.to_owned(), after));
    }
}

/// The digit that makes the sum of Luhn right.
pub(crate) fn with_luhn(mut number: String) -> String {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0') * if index % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    let _ = write!(number, "{}", (10 - sum % 10) % 10);
    number
}

pub(crate) fn cn_id(rng: &mut Rng) -> String {
    let first =
        format!("110105{}{:02}{:02}{}", rng.u32(1950..2010), rng.u32(1..13), rng.u32(1..29), digits(rng, 3));
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = first.bytes().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    let check = b"10X98765432"[sum as usize % 11] as char;
    format!("{first}{check}")
}

pub(crate) fn iban(country: &str, account: &str) -> String {
    let remainder = format!("{account}{country}00").bytes().fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    format!("{country}{:02}{account}", 98 - remainder)
}

fn by(text: &str, lengths: &[usize], separator: &str) -> String {
    let mut rest = text;
    let mut groups = Vec::new();
    for length in lengths.iter().copied().cycle() {
        if rest.len() <= length {
            groups.push(rest);
            break;
        }
        let (group, behind) = rest.split_at(length);
        groups.push(group);
        rest = behind;
    }
    groups.join(separator)
}

fn personal(rng: &mut Rng, samples: &mut Vec<Sample>) {
    let name = drawn(rng, "abcdefghijklmnop", 8);
    for address in [
        format!("{name}@example.com"),
        format!("{name}.x+tag@mail.example.co.uk"),
        "o_b-c%d@a-b.museum".to_owned(),
    ] {
        samples.push(sample(Kind::Email, "write to ", address, ", please"));
    }
    for (prefix, length) in [
        ("4", 16),
        ("4", 13),
        ("51", 16),
        ("2221", 16),
        ("34", 15),
        ("6011", 16),
        ("3530", 16),
        ("36", 14),
        ("62", 19),
    ] {
        let number = with_luhn(format!("{prefix}{}", digits(rng, length - 1 - prefix.len())));
        samples.push(sample(Kind::Card, "paid with ", number.clone(), "."));
        if length == 16 {
            samples.push(sample(Kind::Card, "card ", by(&number, &[4], " "), " ok"));
            samples.push(sample(Kind::Card, "", by(&number, &[4], "-"), ""));
        }
    }
    for (country, length) in [("DE", 18), ("NL", 14), ("FR", 23), ("NO", 11)] {
        let number = iban(country, &digits(rng, length));
        samples.push(sample(Kind::Iban, "to ", number.clone(), ","));
        samples.push(sample(Kind::Iban, "to ", by(&number, &[4], " "), ", today"));
    }
    samples.push(sample(Kind::Iban, "", iban("GB", &format!("WEST{}", digits(rng, 14))), ""));
    samples.push(sample(
        Kind::Ssn,
        "SSN ",
        format!("{}-{:02}-{:04}", rng.u32(100..666), rng.u32(1..100), rng.u32(1..10000)),
        ".",
    ));
    samples.push(sample(
        Kind::Ssn,
        "social security number ",
        format!("{}{:02}{:04}", rng.u32(100..666), rng.u32(1..100), rng.u32(1..10000)),
        ".",
    ));
    for _ in 0..4 {
        samples.push(sample(Kind::CnId, "身份证号：", cn_id(rng), "。"));
    }
    for (before, number, after) in [
        ("reach ", "+1 415 555 2671", "!"),
        ("reach ", "+4915112345678", "."),
        ("", "+86 138 0013 8000", ""),
        ("(", "+44 (0)20 7946 0958", ")"),
        ("at ", "(415) 555-2671", " or"),
        ("at ", "415-555-2671", ","),
        ("at ", "415.555.2671", " "),
        ("at ", "1-415-555-2671", " "),
        ("phone 4", "", ""),
        ("my phone is ", "4155552671", "."),
        ("手机：", "13800138000", "。"),
        ("拨打 ", "138-0013-8000", " "),
    ] {
        if !number.is_empty() {
            samples.push(sample(Kind::Phone, before, number.to_owned(), after));
        }
    }
    for address in [
        "93.184.216.34",
        "10.1.2.3",
        "2606:4700:4700::1111",
        "fe80::1ff:fe23:4567:890a",
        "2a00:1450:4001:82a:0:0:0:200e",
    ] {
        samples.push(sample(Kind::Ip, "from ", address.to_owned(), " came"));
    }
}

/// Texts that nearly hold something.
pub(crate) fn near_misses(rng: &mut Rng) -> Vec<String> {
    let mut texts = Vec::new();
    for (_, prefix, alphabet, length) in EXACT {
        texts.push(format!("{prefix}{}", drawn(rng, alphabet, length - 1)));
        texts.push(format!("{prefix}{}", drawn(rng, alphabet, length + 1)));
        texts.push(format!("{prefix}{}", "x".repeat(*length)));
    }
    for (_, prefix, ..) in AT_LEAST {
        texts.push(format!("{prefix}{}", drawn(rng, ALNUM, 8)));
        texts.push(format!("{prefix}{}", "x".repeat(60)));
    }
    for number in [
        with_luhn("4".to_owned() + &digits(rng, 14)),
        cn_id(rng),
        iban("DE", &digits(rng, 18)),
        iban("FR", &digits(rng, 23)),
    ] {
        texts.push(broken(&number));
        texts.push(number[..number.len() - 1].to_owned());
        texts.push(number.clone() + "1");
    }
    texts.extend([
        "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120", "123-45-67890", "1123-45-6789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", "eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ29uZ3JhdHVsYXRpb25zIQ==\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIBszCCAVmgAwIBAgIUQ29uZ3JhdHVsYXRpb25zIQ==\n-----END PUBLIC KEY-----",
        "look for `-----BEGIN PRIVATE KEY-----` in files", "postgres://localhost:5432/db", "https://example.com/a@b:c",
        "postgres://app:${DB_PASSWORD}@db/x", "postgres://app:***@db/x",
        "Authorization: Bearer <token>", "Authorization: Bearer $TOKEN", "authorization: required", "password=your-password-here1",
        "api_key = \"your-api-key-goes-here-1234\"", "api_key = os.environ[\"API_KEY_1234567890\"]", "secret: ${SECRET_VALUE_12345}",
        "token = parse_token_v2(input_1234567890)", "password: changeme123", "password: string", "max_tokens: 1234567890123456",
        "\"nextPageToken\": \"CAUQAA1234567890abcdefGHIJ\"", "let token: Option<String> = None;", "token_type: bearer",
        "api_key: os.environ/OPENAI_API_KEY_2", "secret_path=/run/secrets/token1234567890abc", "ghp_ and sk- and AKIA", "risk-analysis-of-2024-and-other-years-1234567890",
        "user@localhost", "git@github.com:a/b.git", "icon@2x.png", "@decorator a@b", "react@18.2.0",
        "1700000000", "1700000000000", "1700000000000000000", "chatcmpl-123 created 1700000000 tokens 4155552671",
        "v1.2.3.4", "version 1.2.3.4", "1.2.3.4.5", "127.0.0.1", "192.0.2.7", "198.51.100.1", "255.255.255.0", "::1", "2001:db8::1",
        "10.0.0.0/8", "10:30:45", "aa:bb:cc:dd:ee:ff", "dead::beef", "std::fmt::Debug", "2026-11-21T10:24:03+08:00", "+1.5 +20 +123456",
        "0.4111111111111111", "018bcfe5-6800-7000-8000-000000000000", "111-555-2671", "415-155-2671",
    ].map(str::to_owned));
    texts
}

/// With another last digit.
fn broken(number: &str) -> String {
    let (first, last) = number.split_at(number.len() - 1);
    format!("{first}{}", if last == "1" { "2" } else { "1" })
}
