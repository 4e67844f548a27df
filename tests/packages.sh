#!/usr/bin/env bash
# Installs the Debian packages that the Rust tests run as real peers, where they are missing.
set -euo pipefail
need=()
command -v promtool >/dev/null || need+=(prometheus)
command -v g++ >/dev/null || need+=(g++) # libFuzzer is C++
command -v unshare >/dev/null || need+=(util-linux)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need+=(postgresql)
[ -x /usr/sbin/pgbouncer ] || need+=(pgbouncer)
command -v openssl >/dev/null || need+=(openssl) # certificates of test servers
command -v curl >/dev/null || need+=(curl) # the examples, as they are pasted
command -v python3 >/dev/null || need+=(python3)
[ "${#need[@]}" -eq 0 ] && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Services are not wanted, only the programs.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
apt-get install -q -y --no-install-recommends "${need[@]}"
