//! What no agent should run: commands that destroy the machine, hand it to somebody else, or run what nobody has seen.
//!
//! A list like this catches accidents and the plain form of an attack. It is advice, not a boundary.

use super::starters::SHELLS;

/// One kind of danger, and how it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Danger {
    /// What it does, in a few words.
    pub(super) what: &'static str,
    pub(super) sign: Sign,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// One of these programs, with one option of each group and one of the operands; no groups, no operands: any.
    Program {
        names: &'static [&'static str],
        options: &'static [&'static [&'static str]],
        operands: Operands,
    },
    /// What comes out of one program goes into another, over however many.
    Piped { from: &'static [&'static str], into: &'static [&'static str] },
    /// Input or output is one of these files.
    Redirected(&'static [&'static str]),
    /// A function starts itself more than once.
    ForkBomb,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operands {
    Any,
    /// One that fits.
    Like(&'static [&'static str]),
    /// One that is written like this, stars included.
    Written(&'static [&'static str]),
}

const fn program(what: &'static str, names: &'static [&'static str]) -> Danger {
    Danger { what, sign: Sign::Program { names, options: &[], operands: Operands::Any } }
}

const fn with(
    what: &'static str,
    names: &'static [&'static str],
    options: &'static [&'static [&'static str]],
    operands: Operands,
) -> Danger {
    Danger { what, sign: Sign::Program { names, options, operands } }
}

/// Places without which the machine or its user is lost. Patterns that the shell would expand stand as written.
const PRECIOUS: &[&str] = &[
    "/",
    "//",
    "/.",
    "/*",
    "/./*",
    "~",
    "~/",
    "~/*",
    "~/.",
    "$HOME",
    "$HOME/",
    "$HOME/*",
    "${HOME}",
    "${HOME}/",
    "${HOME}/*",
    "/bin",
    "/bin/*",
    "/boot",
    "/boot/*",
    "/dev",
    "/dev/*",
    "/etc",
    "/etc/",
    "/etc/*",
    "/home",
    "/home/",
    "/home/*",
    "/lib",
    "/lib/*",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/root/*",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/usr/",
    "/usr/*",
    "/var",
    "/var/",
    "/var/*",
    "/..",
    "/../*",
];

const DISKS: &[&str] = &[
    "/dev/sd*",
    "/dev/hd*",
    "/dev/vd*",
    "/dev/xvd*",
    "/dev/nvme*",
    "/dev/mmcblk*",
    "/dev/disk/*",
    "/dev/mapper/*",
    "/dev/dm-*",
    "/dev/md*",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/dev/loop*",
];

/// Programs that bring what nobody has seen, or make it readable.
const FETCHERS: &[&str] = &[
    "curl", "wget", "fetch", "aria2c", "lynx", "http", "https", "ftp", "nc", "ncat", "netcat", "socat",
    "telnet", "base64", "base32", "xxd", "openssl", "uudecode", "gpg", "rev",
];

const INTERPRETERS: &[&str] = &[
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "ash",
    "fish",
    "csh",
    "tcsh",
    "python*",
    "perl*",
    "ruby*",
    "node",
    "php*",
    "lua*",
    "osascript",
    "eval",
    "source",
];

pub(super) const CONNECTORS: &[&str] = &["nc", "ncat", "netcat", "socat", "telnet", "openssl"];

/// Every danger that is known.
pub(super) static DANGERS: [Danger; 28] = [
    with(
        "removes what the machine or its user needs",
        &["rm"],
        &[&["r", "R", "--recursive"]],
        Operands::Written(PRECIOUS),
    ),
    with(
        "removes without the last safeguard",
        &["rm", "chmod", "chown", "chgrp"],
        &[&["--no-preserve-root"]],
        Operands::Any,
    ),
    with(
        "removes what the machine or its user needs",
        &["find"],
        &[&["-delete"]],
        Operands::Written(PRECIOUS),
    ),
    with("removes what the machine or its user needs", &["shred"], &[], Operands::Written(PRECIOUS)),
    with(
        "opens or closes what the machine needs",
        &["chmod", "chown", "chgrp"],
        &[&["R", "--recursive"]],
        Operands::Written(PRECIOUS),
    ),
    program("makes a file system over what is there", &["mkfs*", "mke2fs", "mkswap", "newfs*", "mkdosfs"]),
    program(
        "changes the disks' tables",
        &["fdisk", "sfdisk", "cfdisk", "sgdisk", "parted", "wipefs", "blkdiscard"],
    ),
    with(
        "destroys an encrypted disk",
        &["cryptsetup"],
        &[],
        Operands::Written(&["luksFormat", "luksErase", "erase", "reencrypt"]),
    ),
    with(
        "writes over a disk",
        &["dd"],
        &[],
        Operands::Like(&[
            "of=/dev/sd*",
            "of=/dev/hd*",
            "of=/dev/vd*",
            "of=/dev/xvd*",
            "of=/dev/nvme*",
            "of=/dev/mmcblk*",
            "of=/dev/disk/*",
            "of=/dev/mapper/*",
            "of=/dev/dm-*",
            "of=/dev/md*",
            "of=/dev/mem",
            "of=/dev/kmem",
            "of=/dev/port",
            "of=/dev/loop*",
        ]),
    ),
    with("writes over a disk", &["cp", "mv", "tee", "shred"], &[], Operands::Like(DISKS)),
    Danger { what: "writes over a disk", sign: Sign::Redirected(DISKS) },
    program("stops the machine", &["shutdown", "reboot", "halt", "poweroff", "telinit", "kexec"]),
    with("stops the machine", &["init"], &[], Operands::Written(&["0", "6"])),
    with(
        "stops the machine",
        &["systemctl", "loginctl"],
        &[],
        Operands::Written(&[
            "poweroff",
            "reboot",
            "halt",
            "kexec",
            "rescue",
            "emergency",
            "suspend",
            "hibernate",
        ]),
    ),
    with("stops every process", &["kill"], &[], Operands::Written(&["1"])),
    with(
        "stops every process",
        &["kill"],
        &[&["9", "-KILL", "-SIGKILL", "-15", "-TERM", "-SIGTERM", "-s"]],
        Operands::Written(&["-1"]),
    ),
    program("stops every process", &["killall5"]),
    program("changes the kernel", &["insmod", "modprobe", "rmmod"]),
    program(
        "changes who may log in",
        &["visudo", "vipw", "useradd", "usermod", "adduser", "chpasswd", "passwd"],
    ),
    Danger {
        what: "changes who may log in, or the kernel",
        sign: Sign::Redirected(&[
            "/etc/passwd",
            "/etc/shadow",
            "/etc/sudoers*",
            "/etc/ld.so.preload",
            "*/.ssh/authorized_keys",
            "/proc/sysrq-trigger",
            "/proc/sys/*",
        ]),
    },
    with(
        "changes who may log in",
        &["tee", "cp", "mv", "ln", "install"],
        &[],
        Operands::Like(&[
            "/etc/passwd",
            "/etc/shadow",
            "/etc/sudoers*",
            "/etc/ld.so.preload",
            "*/.ssh/authorized_keys",
        ]),
    ),
    with("takes the firewall down", &["iptables", "ip6tables"], &[&["F", "--flush"]], Operands::Any),
    Danger { what: "runs what nobody has seen", sign: Sign::Piped { from: FETCHERS, into: INTERPRETERS } },
    Danger {
        what: "hands a shell to another machine",
        sign: Sign::Piped { from: &SHELLS, into: CONNECTORS },
    },
    Danger {
        what: "talks to another machine by the shell itself",
        sign: Sign::Redirected(&["/dev/tcp/*", "/dev/udp/*"]),
    },
    with(
        "hands a shell to another machine",
        &["nc", "ncat", "netcat", "nc.*"],
        &[&["e", "c", "--exec", "--sh-exec", "--lua-exec"]],
        Operands::Any,
    ),
    with(
        "hands a shell to another machine",
        &["socat", "python*", "perl*", "ruby*", "php*", "awk", "gawk"],
        &[],
        Operands::Like(&[
            "EXEC:*",
            "exec:*",
            "SYSTEM:*",
            "system:*",
            "*pty.spawn*",
            "*socket*dup2*",
            "*socket*subprocess*",
            "*Socket*exec*",
            "*TCPSocket*exec*",
            "*fsockopen*exec*",
            "*/inet/tcp/*",
        ]),
    ),
    Danger { what: "starts itself without end", sign: Sign::ForkBomb },
];
