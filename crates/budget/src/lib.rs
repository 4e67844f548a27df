//! Reserve and settle: the ledger's algebra, its journal, and rate limits.
