# Sourced by the installers beside it, never run: packages of another Debian suite, for one folder of their own. Nothing is
# installed, upgraded or configured outside that folder, and root is not needed.
#
# The caller says first: NAME (its own), RECIPE (raised when its steps change: older folders are then rebuilt), SUITE, and a
# function `complete` that says whether the folder has what is wanted.
set -euo pipefail
export LC_ALL=C

say() { echo "$NAME: $*" >&2; }
die() { say "error: $*"; exit 1; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || die "only Linux on x86-64 is supported here (this is $(uname -s) $(uname -m))"

# choose_folder DEST: sets DEST, and MARK, which only a folder of this installer's own holds.
choose_folder() {
  DEST=$1
  case $DEST in /*) ;; *) die "DEST must be an absolute path, got '$DEST'" ;; esac
  # The lines printed are meant for `eval`: no character that means something to a shell may be in them.
  case $DEST in *[!A-Za-z0-9/._-]*) die "DEST may hold only letters, digits and / . _ - : '$DEST'" ;; esac
  case "$DEST/" in */../*|*/./*|*//*) die "DEST must hold no '.', '..' or empty component: '$DEST'" ;; esac
  MARK=$DEST/made-by-privatekernels-$NAME
}

# Whether the folder was made by this recipe, for the same STAMP, and still has what is wanted.
is_made() { [ -f "$MARK" ] && [ "$(cat "$DEST/stamp" 2>/dev/null || true)" = "$STAMP" ] && [ -s "$DEST/env.sh" ] && complete; }

# Prints the lines and ends if there is nothing to do.
end_if_made() { if is_made; then cat "$DEST/env.sh"; exit 0; fi; }

# Takes the folder, empties its parts that are named, and begins a log. Another caller's work counts as done.
take_folder() {
  local tool
  for tool in apt-get dpkg-deb flock; do command -v $tool >/dev/null || die "'$tool' is needed (a Debian system is expected)"; done
  # Folders of DEST are removed: never do that to a folder that is not this script's own.
  if [ -e "$DEST" ] && [ ! -f "$MARK" ]; then
    [ -d "$DEST" ] && [ -z "$(ls -A "$DEST")" ] || die "$DEST is not empty and was not made by this script"
  fi
  mkdir -p "$DEST" && : > "$MARK" || die "cannot make $DEST"
  exec 9> "$DEST/lock"; flock 9
  end_if_made
  LOG=$DEST/install.log; : > "$LOG"
  for part in stamp apt "$@"; do rm -rf "${DEST:?}/$part"; done
  mkdir -p "$DEST"/apt/{none/partial,lists/partial,cache/archives/partial,parts} "${@/#/$DEST/}"
}

# Keeps what was made: the stamp last, so that a folder that was left half-way is made again.
keep_folder() {
  rm -rf "$DEST/apt"                        # archives and lists are no longer needed
  echo "$STAMP" > "$DEST/stamp"
  cat "$DEST/env.sh"
}

signed_by() {   # the Signed-By that the machine's sources give for archive $1, if it names a readable file
  { awk -v RS= -v u="$1" 'index($0, u) { n = split($0, l, "\n"); for (i = 1; i <= n; i++) if (l[i] ~ /^Signed-By:[ \t]*\//) { sub(/^Signed-By:[ \t]*/, "", l[i]); print l[i] } }' \
      "$SRC_PARTS"/*.sources 2>/dev/null || true
    sed -n "\#$1#s/.*signed-by=\([^] ,]*\).*/\1/p" "$SRC_LIST" "$SRC_PARTS"/*.list 2>/dev/null || true
    echo /usr/share/keyrings/debian-archive-keyring.gpg
  } | { ok=; while read -r f; do if [ -z "$ok" ] && [ -r "$f" ]; then ok=$f; fi; done; echo "$ok"; } || true
}

# download COMPONENT PACKAGE...: fetches packages of SUITE into DEST/apt, from the machine's own archive: the first of the
# repositories that its apt sources (deb822 or one-line) name, security ones last, that has them.
download() {
  local component=$1 base key found= bases; shift
  : > "$DEST/apt/status"
  # The machine's apt hooks must not run for this private apt. Only `#clear` in a configuration file empties a list, and only
  # a file given with -c is read after the machine's own (the one that APT_CONFIG names is read before them).
  cat > "$DEST/apt/apt.conf" <<'E'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
E
  mapfile -t bases < <(apt-get -c "$DEST/apt/apt.conf" -oDir::State::Lists="$DEST/apt/none" -oAPT::Sandbox::User= --print-uris update 2>>"$LOG" |
    sed -n "s#^'\([^']*\)/dists/[^']*/InRelease'.*#\1#p" | grep -E '^(https?|file|mirror\+[a-z]+|copy|ftp):' | awk '!seen[$0]++' |
    { tmp=$(cat); grep -v security <<<"$tmp" || true; grep security <<<"$tmp" || true; } | sed '/^$/d')
  [ ${#bases[@]} -gt 0 ] || die "apt has no usable package source on this machine (see $LOG)"
  eval "$(apt-config shell SRC_LIST Dir::Etc::sourcelist/f SRC_PARTS Dir::Etc::sourceparts/d)"

  local apt=(apt-get -qq -c "$DEST/apt/apt.conf"
    -oDir::Etc::SourceList="$DEST/apt/sources.list" -oDir::Etc::SourceParts="$DEST/apt/parts"
    -oDir::State::Lists="$DEST/apt/lists" -oDir::Cache="$DEST/apt/cache" -oDir::State::status="$DEST/apt/status"
    -oDir::Etc::Preferences=/dev/null -oDir::Etc::PreferencesParts="$DEST/apt/parts" -oAPT::Sandbox::User= -oAcquire::Languages=none
    -oAcquire::Retries=3 -oAPT::Architecture=amd64 -oAPT::Architectures=amd64)
  for base in "${bases[@]}"; do
    key=$(signed_by "$base")
    echo "deb [${key:+signed-by=$key }arch=amd64] $base $SUITE $component" > "$DEST/apt/sources.list"
    if "${apt[@]}" -oAPT::Update::Error-Mode=any update >>"$LOG" 2>&1 && "${apt[@]}" --print-uris download "$1" >>"$LOG" 2>&1
    then found=$base; break; fi
  done
  [ -n "$found" ] || die "none of this machine's package sources offers Debian $SUITE $component with $1 (see $LOG)"
  (cd "$DEST/apt" && "${apt[@]}" download "$@" >>"$LOG" 2>&1) || die "the download failed (see $LOG)"
}
