//! What programs need of a system to run at all, as data: everything else has to be granted.

/// May be read and executed: programs, libraries, and what they bring along.
pub(crate) const PROGRAMS: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
];

/// May be read. Of `/etc` only what a run-time system asks for: no password hashes, host keys or credentials of services.
/// `/proc` shows only the family where there is a process namespace; elsewhere Landlock keeps the memory and environment
/// of others closed, but not their names and arguments.
pub(crate) const READABLE: [&str; 43] = [
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/kernel/mm/transparent_hugepage",
    "/etc/bash.bashrc",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/default/locale",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/gitconfig",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/perl",
    "/etc/pki",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/protocols",
    "/etc/python3",
    "/etc/python3.11",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/etc/vim",
    "/etc/xattr.conf",
];

/// Devices that hold nothing and lead nowhere: read and written.
pub(crate) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Where everybody meets: replaced by empty folders of the family's own where mounts are its own.
pub(crate) const MEETING_PLACES: [&str; 2] = ["/tmp", "/dev/shm"];

/// Where services leave their sockets, which Landlock does not guard before ABI 9.
pub(crate) const SERVICES: &str = "/run";
