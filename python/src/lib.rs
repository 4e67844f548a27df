//! The native half of the Python package `seawall`: runs, permits and schemas, as thin classes over `seawall-guard`.
//!
//! One call into it admits, one settles; values are walked where they are, and nothing is turned into text and back. What a
//! guarded function is, how it is called and what it does is the package's own, in `seawall/*.py`.

mod binding;
mod effects;
mod isolated;
mod options;
mod permit;
mod raised;
mod resolver;
mod run;
mod schema;
mod value;
mod wait;

use pyo3::prelude::*;

#[pymodule]
mod _seawall {
    #[pymodule_export]
    use crate::effects::Tool;
    #[pymodule_export]
    use crate::options::check_policy;
    #[pymodule_export]
    use crate::permit::Permit;
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::schema::Schema;
    #[pymodule_export]
    use crate::wait::Wait;
}
