# What the scripts share: saying what happens, and getting what a bare Debian lacks.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
[ -t 2 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n== %s\n' "$*" >&2; }

# Rust and a C++ compiler are asked for, not installed: how they come onto a machine is its owner's choice.
need_toolchain() {
    command -v cargo >/dev/null || die "cargo is missing: install stable Rust with rustup"
    command -v c++ >/dev/null || die "a C++ compiler is missing (libzmq is built from source): apt-get install build-essential"
}

# Says why, and installs one of Debian's packages.
install_package() {
    local package=$1 why=$2 apt=(apt-get)
    [ "$(id -u)" = 0 ] || apt=(sudo apt-get)
    command -v "${apt[0]}" >/dev/null || die "$why, and there is no ${apt[0]} to install it with"
    say "$why: installing Debian's $package"
    "${apt[@]}" install -y --no-install-recommends "$package" >&2 || {
        "${apt[@]}" update >&2
        "${apt[@]}" install -y --no-install-recommends "$package" >&2
    }
}

# OpenSSL is built from source by its own means. Debian's build-essential brings both; its git brings perl, too.
need_openssl_build() {
    [ "${OPENSSL_NO_VENDOR:-0}" = 0 ] || return 0
    command -v make >/dev/null || install_package make "make is missing, which OpenSSL is built with"
    perl -MFindBin -MIPC::Cmd -MTime::Piece -e 1 2>/dev/null ||
        install_package perl "perl is missing or not whole, which OpenSSL is built with"
}

# What our output is for: the tests hold it against its readers.
need_readers() {
    local reader program package
    for reader in mandoc zsh fish gource /usr/games/cowsay /usr/sbin/collectd:collectd-core; do
        program=${reader%:*} package=${reader#*:}
        command -v "$program" >/dev/null ||
            install_package "${package##*/}" "$program is missing, which reads what our commands write"
    done
}

# Debian splits the means to make a virtual environment off its python3.
need_venv() {
    command -v python3 >/dev/null || die "python3 is missing: apt-get install python3"
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_package python3-venv "python3 has no venv"
}

# Prometheus' own check of metrics.
need_promtool() {
    command -v promtool >/dev/null || install_package prometheus "promtool is missing, which checks the hub's metrics"
}

# A clock that jumps, for one program alone.
need_faketime() {
    command -v faketime >/dev/null || install_package faketime "faketime is missing, which sets the clock of a hub under test"
}

# The real Python fedmsg, to test and measure against.
need_python_fedmsg() {
    need_venv
    local python=$root/target/python want
    want=$(sha256sum < tests/python/requirements.txt)
    [ "$(cat "$python/.installed" 2>/dev/null)" != "$want" ] || return 0
    say "installing the Python fedmsg 1.1.7 into target/python"
    rm -rf "$python"
    python3 -m venv "$python"
    # Old source packages among them import pkg_resources, which newer setuptools no longer has.
    "$python/bin/pip" --quiet --disable-pip-version-check install 'setuptools==80.9.0' wheel
    # The list is complete: nothing is left to resolve.
    "$python/bin/pip" --quiet --disable-pip-version-check install --no-build-isolation --no-deps \
        -r tests/python/requirements.txt
    echo "$want" > "$python/.installed"
}

# A subcommand of cargo's that makes packages, of that version, into target/cargo.
need_cargo_tool() {
    local tool=$1 version=$2
    export PATH=$root/target/cargo/bin:$PATH
    ! cargo install --list --root target/cargo | grep -qx "$tool v$version:" || return 0
    say "installing $tool $version into target/cargo"
    cargo install "$tool" --version "$version" --locked --quiet --root target/cargo
}

# A real name server, whose records the tests change.
need_name_server() {
    [ -x /usr/sbin/dnsmasq ] || install_package dnsmasq-base "endpoints from DNS are tested with a real name server"
}

# A real IRC server with mode +c, TLS and SASL, and services to log in to.
need_irc_network() {
    [ -x /usr/sbin/inspircd ] || install_package inspircd "the IRC bot is tested on a real server"
    [ -x /usr/bin/atheme-services ] || install_package atheme-services "the IRC bot is tested with real services"
}
