#!/bin/sh
# Installs, upgrades or removes cashout as a service of this machine.
#
#   curl -fsSL https://github.com/OWNER/NAME/releases/latest/download/install.sh | sudo sh
#   sudo sh install.sh --package cashout-1.2.3-x86_64-unknown-linux-gnu.tar.gz
#
# Everything is downloaded, compared with SHA256SUMS, verified and tried before anything is changed; the binary is
# replaced by one rename, at the end. Running it again finishes an installation that was interrupted by a power cut.
#
# SHA256SUMS comes from the same place as the package: it shows damage, not the origin. The signature shows the origin:
# an upgrade is verified by the installed release, a first installation by zipsign with a key that you name.
set -eu

usage() {
    cat <<'END'
Usage: install.sh [--version X] [--repository OWNER/NAME]   install or upgrade from GitHub
       install.sh --package FILE [--sums FILE]              install or upgrade from files
       install.sh --uninstall [--purge]                     remove it; --purge: its data, too

  --version X        install this release instead of the latest one
  --repository R     repository of the releases (or CASHOUT_REPOSITORY; CASHOUT_GITHUB for another
                     GitHub than https://github.com)
  --package FILE     install this package; the other files of its release are next to SHA256SUMS
  --sums FILE        SHA256SUMS of the package, if it is not next to the package
  --key FILE         for a first installation: verify the package with this public key (needs
                     zipsign); see packaging/README.md
  --unverified       for an upgrade after an exchange of keys, if the installed release does not
                     know the new key: only compare the package with SHA256SUMS
  --no-start         neither enable nor start the service
  --root DIR         install below DIR, for an image: no user is created, no service is changed
END
}

say() { printf '%s\n' "$@"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# ---- Arguments -------------------------------------------------------------------------------

read_arguments() {
    repository=${CASHOUT_REPOSITORY:-}
    github=${CASHOUT_GITHUB:-https://github.com}
    root='' package='' sums='' version='' start=yes task=install purge=no key='' verify=yes
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --repository | --package | --sums | --root | --key)
            [ $# -ge 2 ] || fail "$1 needs a value; see --help"
            case $1 in
            --version) version=${2#v} ;;
            --repository) repository=$2 ;;
            --package) package=$2 ;;
            --sums) sums=$2 ;;
            --root) root=${2%/} ;;
            --key) key=$2 ;;
            esac
            shift
            ;;
        --unverified) verify=no ;;
        --no-start) start=no ;;
        --uninstall) task=uninstall ;;
        --purge) purge=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "there is no option $1; see --help" ;;
        esac
        shift
    done
    asked=$version$package
    [ "$purge" = no ] || [ "$task" = uninstall ] || fail "--purge goes with --uninstall"
    [ -z "$key" ] || [ -f "$key" ] || fail "--key: there is no file $key"
    [ -z "$key" ] || [ "$verify" = yes ] || fail "--key and --unverified do not go together"
    [ -z "$root" ] || [ -d "$root" ] || fail "--root: there is no folder $root"
    prefix=$root/opt/cashout
    bin=$prefix/bin
    link=$root/usr/local/bin/cashout
    settings=$root/etc/cashout
    data=$root/var/lib/cashout
    guard=$root/var/lib/cashout-guard
    units=$root/etc/systemd/system
    unit=$units/cashout.service
}

find_target() {
    [ "$(uname -s)" = Linux ] || fail "cashout runs on Linux, and this is $(uname -s)"
    case $(uname -m) in
    x86_64 | amd64) target=x86_64-unknown-linux-gnu ;;
    aarch64 | arm64) target=aarch64-unknown-linux-gnu ;;
    *) fail "there is no release for this kind of machine ($(uname -m)); build it from source" ;;
    esac
}

# Succeeds if there is a service manager to notify.
has_systemd() { [ -z "$root" ] && has systemctl && [ -d /run/systemd/system ]; }

# ---- Work folder -----------------------------------------------------------------------------

# A folder next to the binary's, so that the last step is a rename. It is named after this process: the folder of a
# killed installer is removed, and that of a running one is left alone.
prepare() {
    mkdir -p "$bin" 2>/dev/null || fail "$bin cannot be created: $(reason_of mkdir -p "$bin")"
    for left in "$prefix"/.install.*; do
        [ -d "$left" ] || continue
        if kill -0 "${left##*.}" 2>/dev/null; then
            fail "another install.sh is running (process ${left##*.}); wait until it ends, or remove $left"
        fi
        rm -rf "$left"
    done
    work=$prefix/.install.$$
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir "$work" 2>/dev/null || fail "$prefix cannot be written to: $(reason_of mkdir "$work")"
}

# Prints the error of a command that fails.
reason_of() { "$@" 2>&1 || true; }

# ---- The release -----------------------------------------------------------------------------

# download ADDRESS FILE
download() {
    # Plain HTTP only from this machine: a mirror, or a tunnel.
    case $1 in
    https://*) protocols='=https' ;;
    http://127.0.0.1[:/]* | http://localhost[:/]*) protocols='=http' ;;
    *) fail "$1 is not an https address" ;;
    esac
    if has curl; then
        said=$(curl --proto "$protocols" --retry 3 -fsSL -o "$2" "$1" 2>&1) ||
            fail "$1 could not be downloaded: $said"
    elif has wget; then
        said=$(wget -q -O "$2" "$1" 2>&1) || fail "$1 could not be downloaded with wget: ${said:-no such file there, or no connection}"
    else
        fail "neither curl nor wget is installed; install one of them, or name a package with --package"
    fi
}

# Only the package is signed, so the other files to install are taken from its binary.
take_own_files() {
    for file in cashout.service parameters.yml; do
        "$work/cashout" app:file "$file" >"$work/own" 2>/dev/null || continue
        mv "$work/own" "$work/$file"
    done
}

# Puts SHA256SUMS into the work folder, and finds the package's name and the place of its files.
find_release() {
    if [ -n "$package" ]; then
        [ -f "$package" ] || fail "there is no package $package"
        sums=${sums:-$(dirname "$package")/SHA256SUMS}
        [ -f "$sums" ] || fail "there is no $sums; name the release's SHA256SUMS with --sums"
        copy "$sums" "$work/SHA256SUMS"
        beside=$(dirname "$sums")
        name=$(basename "$package")
    else
        [ -n "$repository" ] || fail "name the repository of the releases with --repository OWNER/NAME, or a package with --package"
        case $repository in
        */*/* | /* | */ | *[!A-Za-z0-9._/-]*) fail "$repository is not a GitHub repository: write it as OWNER/NAME" ;;
        */*) ;;
        *) fail "$repository is not a GitHub repository: write it as OWNER/NAME" ;;
        esac
        releases=$github/$repository/releases
        if [ -n "$version" ]; then
            download "$releases/download/v$version/SHA256SUMS" "$work/SHA256SUMS"
        else
            download "$releases/latest/download/SHA256SUMS" "$work/SHA256SUMS"
        fi
        name=$(sed -n "s/^[0-9a-f]\{64\} [ *]\(cashout-.*-$target\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS")
        [ -n "$name" ] || fail "the release has no package for $target"
    fi
    case $name in
    *[!A-Za-z0-9.+_-]*) fail "$name is not the name of one package" ;;
    cashout-*-"$target".tar.gz) ;;
    *) fail "$name is not a package for this machine: its name would be cashout-VERSION-$target.tar.gz" ;;
    esac
    found=${name#cashout-}
    found=${found%-"$target".tar.gz}
    if [ -n "$version" ] && [ "$version" != "$found" ]; then
        fail "$name is release $found, but $version was requested"
    fi
    version=$found
}

copy() { cp "$1" "$2" 2>/dev/null || fail "$2 cannot be written: $(reason_of cp "$1" "$2")"; }

# take NAME: puts a file of the release into the work folder, and compares it with SHA256SUMS.
take() {
    if [ -n "$package" ]; then
        from=$beside/$1
        [ "$1" != "$name" ] || from=$package
        [ -f "$from" ] || fail "there is no $from; it is part of the release"
        copy "$from" "$work/$1"
    else
        download "$releases/download/v$version/$1" "$work/$1"
    fi
    wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$1\$/\1/p" "$work/SHA256SUMS")
    [ -n "$wanted" ] || fail "SHA256SUMS does not name $1; nothing was changed"
    if has sha256sum; then
        is=$(sha256sum <"$work/$1")
    elif has openssl; then
        is=$(openssl dgst -sha256 -r <"$work/$1")
    else
        fail "neither sha256sum nor openssl is installed to compare checksums with; install coreutils"
    fi
    [ "${is%% *}" = "$wanted" ] ||
        fail "$1 does not match SHA256SUMS: it was damaged or changed in transit; nothing was changed here. Download it again"
}

# Verifies the origin of the package, before anything of it runs.
verify_package() {
    alone="$name was only compared with SHA256SUMS"
    if [ -n "$key" ]; then
        has zipsign || fail "zipsign is not installed to verify with --key; install it (cargo install zipsign), or omit --key and check the package by other means"
        said=$(zipsign verify tar --context "$name" "$work/$name" "$key" 2>&1) ||
            fail "$name is not signed with the key of $key: $said; nothing was changed"
        say "$name is signed with the key of $key"
    elif [ "$verify" = no ]; then
        say "$alone, as --unverified requires: its origin was not verified"
    elif [ ! -x "$bin/cashout" ]; then
        say "$alone: its origin was not verified; use --key to verify it"
    else
        code=0
        # A release or package that is named may be an older one; the latest may not.
        newer=''
        [ -n "$asked" ] || newer=--not-older
        said=$("$bin/cashout" app:verify $newer "$work/$name" 2>&1) || code=$?
        case $code in
        0) say "$said" ;;
        # A release from before this command, one without keys, or one that does not run here.
        2 | 126 | 127) say "$alone: the installed release cannot verify signatures" ;;
        *) fail "$said; nothing was changed. If the keys of the releases were exchanged since then, check the package by other means, and use --unverified" ;;
        esac
    fi
}

# Unpacks the binary, and has it identify itself before anything depends on it.
try_package() {
    for tool in tar gzip; do
        has "$tool" || fail "$tool is not installed; install it"
    done
    [ "$(tar -tzf "$work/$name" 2>/dev/null)" = cashout ] || fail "$name contains something other than one file cashout; nothing was changed"
    tar -xozf "$work/$name" -C "$work" cashout 2>"$work/said" ||
        fail "$name cannot be unpacked in $prefix: $(head -n 1 "$work/said")"
    if [ -L "$work/cashout" ] || [ ! -f "$work/cashout" ]; then
        fail "$name does not contain a regular file cashout; nothing was changed"
    fi
    chmod 0755 "$work/cashout"
    identity=$("$work/cashout" version --json 2>&1) || fail "the binary of $name does not run here: $identity"
    case $identity in
    *"\"version\":\"$version\""* | *"\"version\": \"$version\""*) ;;
    *) fail "$name contains another release: $identity" ;;
    esac
}

# ---- Install and upgrade ---------------------------------------------------------------------

create_user() {
    [ -z "$root" ] || return 0
    # Looks into the file, as the service does.
    grep -q '^cashout:' /etc/passwd && return 0
    nologin=/usr/sbin/nologin
    [ -x "$nologin" ] || nologin=/bin/false
    if has useradd; then
        said=$(useradd --system --user-group --no-create-home --home-dir /var/lib/cashout --shell "$nologin" cashout 2>&1)
    elif has adduser && has addgroup; then
        said=$(addgroup -S cashout 2>&1 && adduser -S -D -H -h /var/lib/cashout -s "$nologin" -G cashout cashout 2>&1)
    else
        fail "there is no useradd; create a system user and group cashout, and run this again"
    fi || fail "the user cashout could not be created: $said"
    say "user cashout created"
}

# folder MODE OWNER PATH: creates a folder; an existing one stays as it is.
folder() {
    [ ! -d "$3" ] || return 0
    mkdir -p "$3" 2>/dev/null || fail "$3 cannot be created: $(reason_of mkdir -p "$3")"
    chmod "$1" "$3"
    own "$2" "$3"
}

# Below a --root the user may not exist yet: the first start of the image sets the owner.
own() { [ -n "$root" ] || chown "$1" "$2"; }

# put MODE OWNER FROM TO: copies a file, completely or not at all.
put() {
    new=$(dirname "$4")/.$(basename "$4").new
    copy "$3" "$new"
    chmod "$1" "$new"
    own "$2" "$new"
    mv -f "$new" "$4"
}

# exchange FROM: makes it the active binary, by one rename.
exchange() {
    # Flushed first: the rename must not reach the disk before the file.
    sync "$1" 2>/dev/null || sync
    mv -f "$1" "$bin/cashout"
    sync "$bin" 2>/dev/null || sync
}

install_it() {
    find_target
    prepare
    find_release
    take "$name"
    take cashout.service
    take parameters.yml
    verify_package
    try_package
    take_own_files
    before=''
    if [ -x "$bin/cashout" ]; then
        before=$("$bin/cashout" version 2>/dev/null | sed -n '1s/^cashout \([^ ]*\).*/\1/p')
        before=${before:-unknown}
        copy "$bin/cashout" "$work/previous"
        chmod 0755 "$work/previous"
    fi

    create_user
    folder 0750 root:cashout "$settings"
    folder 0700 cashout:cashout "$data"
    folder 0700 root:root "$guard"
    folder 0755 root:root "$units"
    folder 0755 root:root "$(dirname "$link")"
    if [ ! -e "$settings/parameters.yml" ]; then
        if [ -n "$repository" ]; then
            sed "s#^\( *update\.repository:\) ~#\1 $repository#" "$work/parameters.yml" >"$work/settings.yml"
        else
            cp "$work/parameters.yml" "$work/settings.yml"
        fi
        put 0640 root:cashout "$work/settings.yml" "$settings/parameters.yml"
    fi
    if [ -f "$unit" ]; then copy "$unit" "$work/previous.service"; fi
    put 0644 root:root "$work/cashout.service" "$unit"
    allow_low_port
    if [ ! -e "$link" ] || [ -L "$link" ]; then
        ln -sf /opt/cashout/bin/cashout "$link"
    else
        say "$link exists and is not a link: it is left as it is"
    fi
    if [ -n "$before" ] && ! cmp -s "$work/previous" "$work/cashout"; then
        # Another copy, because a failed start restores this one.
        copy "$work/previous" "$work/kept"
        chmod 0755 "$work/kept"
        mv -f "$work/kept" "$bin/cashout.prev"
    fi
    exchange "$work/cashout"
    case $before in
    '') say "cashout $version is installed in $prefix" ;;
    "$version") say "cashout $version was installed again; its data and configuration are unchanged" ;;
    *) say "cashout $version replaces $before; its data and configuration are unchanged" ;;
    esac
    start_it
}

# A port below 1024 needs a capability that the service does not have otherwise.
allow_low_port() {
    port=$(
        {
            tr -d '\r' <"$settings/parameters.yml" | sed -n "s/^ *['\"]\\{0,1\\}server\\.listen['\"]\\{0,1\\} *: *\\(.*\\)\$/\\1/p"
            if has_systemd; then systemctl show -P Environment cashout.service; fi | tr ' ' '\n' | sed -n 's/^CASHOUT_SERVER_LISTEN=//p'
        } 2>/dev/null | sed -n "s/^[^#]*:\\([0-9]\\{1,5\\}\\)['\"]\\{0,1\\} *\\(#.*\\)\\{0,1\\}\$/\\1/p" | tail -n 1
    )
    [ -n "$port" ] && [ "$port" -lt 1024 ] && [ "$port" -gt 0 ] || return 0
    drop_in=$units/cashout.service.d
    [ ! -e "$drop_in/low-port.conf" ] || return 0
    folder 0755 root:root "$drop_in"
    printf '# server.listen has a port below 1024.\n[Service]\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n' >"$work/low-port.conf"
    put 0644 root:root "$work/low-port.conf" "$drop_in/low-port.conf"
}

start_it() {
    [ -z "$root" ] || return 0
    if ! has_systemd; then
        say "systemd is not running here: start it with: cashout serve"
        return 0
    fi
    systemctl daemon-reload
    if [ "$start" = no ]; then
        say "it was neither enabled nor started; do so with: systemctl enable --now cashout"
        return 0
    fi
    systemctl --quiet enable cashout.service
    # 2: the configuration is not complete or not valid.
    code=0
    if ! systemctl --quiet is-active cashout.service; then
        said=$("$bin/cashout" check --offline --config "$settings/parameters.yml" --data "$data" 2>&1) || code=$?
    fi
    systemctl reset-failed cashout.service 2>/dev/null || true
    if systemctl restart cashout.service; then
        say "the service is running; its log: journalctl -u cashout"
        # A first run asks for missing settings, and has logged the address.
        [ "$code" != 2 ] || journalctl -u cashout -n 20 -o cat 2>/dev/null | sed -n 's/^cashout: \(.*\/setup .*\)/\1/p' | tail -n 2
        return 0
    fi
    if [ "$code" = 2 ]; then
        systemctl stop cashout.service 2>/dev/null || true
        say "$said" ''
        fail "installed, but the service does not run: correct $settings/parameters.yml, then: systemctl start cashout"
    fi
    [ -f "$work/previous" ] || fail "the service does not start: see journalctl -u cashout"
    exchange "$work/previous"
    # It may need rights that the new unit does not give.
    if [ -f "$work/previous.service" ]; then put 0644 root:root "$work/previous.service" "$unit"; fi
    systemctl daemon-reload
    systemctl reset-failed cashout.service 2>/dev/null || true
    systemctl restart cashout.service ||
        fail "neither $version nor $before starts: see journalctl -u cashout; $before was restored"
    fail "$version does not start, so $before was restored and is running: see journalctl -u cashout"
}

# ---- Removal ---------------------------------------------------------------------------------

uninstall_it() {
    if has_systemd && [ -f "$unit" ]; then
        systemctl --quiet disable --now cashout.service ||
            fail "the service could not be stopped; nothing was removed"
    fi
    rm -f "$unit" "$units/multi-user.target.wants/cashout.service" "$units/cashout.service.d/low-port.conf"
    rmdir "$units/cashout.service.d" 2>/dev/null || true
    if has_systemd; then systemctl daemon-reload; fi
    if [ "$(readlink "$link" 2>/dev/null)" = /opt/cashout/bin/cashout ]; then rm -f "$link"; fi
    rm -rf "$bin/.stage" "$prefix"/.install.*
    rm -f "$bin/cashout" "$bin/cashout.prev"
    rmdir "$bin" "$prefix" 2>/dev/null || true
    if [ "$purge" = no ]; then
        say "cashout was removed. Its data is kept:" "  its configuration in $settings" "  its store in $data" \
            "  the history of its updates in $guard" "To remove these as well: --uninstall --purge"
        return 0
    fi
    rm -rf "$settings" "$data" "$guard"
    if [ -z "$root" ] && grep -q '^cashout:' /etc/passwd; then
        if has userdel; then userdel cashout; else deluser cashout; fi
    fi
    say "cashout was removed, with its configuration and its data"
}

# Called on the last line: a script that was cut off while it was downloaded does nothing.
main() {
    read_arguments "$@"
    if [ "$(id -u)" != 0 ] && [ -z "$root" ]; then
        fail "this has to be run as root, for example with sudo"
    fi
    umask 022
    if [ "$task" = install ]; then install_it; else uninstall_it; fi
}

main "$@"
