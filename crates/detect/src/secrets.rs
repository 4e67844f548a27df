//! Secrets: keys that are known by how they begin, tokens with a structure, private keys, the credentials in connection
//! strings, and values that their name calls secret. Nothing here asks anybody whether a key is real.

mod assignment;
mod entropy;
mod jwt;
mod pem;
mod prefixed;
mod rules;
mod url;

pub(crate) use assignment::{is_secret_name, judge as assignment, named};
pub(crate) use jwt::{begun as jwt_begun, judge as jwt, tail as jwt_tail};
pub(crate) use pem::{judge as pem, tail as pem_tail};
pub(crate) use prefixed::{Prefixes, databricks};
pub(crate) use url::judge as url;
