#!/usr/bin/env bash
# Lays out the files of the commit to compare with in a folder of their own; nothing of it is run.
#
# BASE            a commit or a branch
# PULL_BASE       the commits of a pull request's two sides, if there is one
# PULL_HEAD
# DEFAULT_BRANCH  stands for the zeros that a first push has as its commit before
# TOKEN           tried where the checkout keeps no credentials
# FOLDER          where the files go
#
# Writes `path` and `commit` to GITHUB_OUTPUT. Where there is nothing to compare with, it says why and
# ends well: a limit on growth then fails by itself.
set -euo pipefail

export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=/dev/null

give_up() {
  echo "::warning title=graphcount::not compared with the base: $1"
  exit 0
}

fetch() {
  local depth=()
  if [ "$(git rev-parse --is-shallow-repository)" = true ]; then depth=(--depth=1); fi
  git fetch --quiet --no-tags --no-recurse-submodules ${depth[@]+"${depth[@]}"} origin "$1" 2>/dev/null
}

fetch_with_token() {
  [ -n "$TOKEN" ] || return 1
  local key="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader"
  local value
  value="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 | tr -d '\n')"
  GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_1="$key" GIT_CONFIG_VALUE_1="$value" fetch "$1"
}

# Prints the commit. A name is that of the remote, today; what was fetched before stands in for it.
commit_of() {
  local name
  if [[ "$1" =~ ^[0-9a-f]{40,64}$ ]] && git cat-file -e "$1^{commit}" 2>/dev/null; then
    echo "$1"
  elif fetch "$1" || fetch_with_token "$1"; then
    git rev-parse --verify --quiet "FETCH_HEAD^{commit}"
  else
    for name in "refs/remotes/origin/$1" "$1"; do
      if git rev-parse --verify --quiet "$name^{commit}"; then return; fi
    done
    return 1
  fi
}

is_pointer() { head -c 64 "$1" | grep -q '^version https://git-lfs'; }

# Fetches files of Git LFS that are whole in the checkout; the others are not read.
complete() {
  local file name
  while IFS= read -r -d '' file; do
    name="${file#"$files"/}"
    if [ ! -f "$top/$name" ] || is_pointer "$top/$name"; then continue; fi
    if git -C "$top" lfs smudge -- "$name" <"$file" >"$FOLDER/whole" 2>/dev/null; then
      mv -- "$FOLDER/whole" "$file"
    else
      echo "::warning title=graphcount::the base has Git LFS pointers in place of files, and git lfs does not get them"
      return
    fi
  done < <(find "$files" -type f -size -1024c -exec grep -l --null '^version https://git-lfs' {} + || true)
}

case "$BASE" in
  -* | *[[:space:]]*) give_up "the input base is no commit and no branch" ;;
esac
git rev-parse --git-dir >/dev/null 2>&1 || give_up "this is no git checkout"

if [[ "$BASE" =~ ^0+$ ]]; then BASE="$DEFAULT_BRANCH"; fi
if [ "$BASE" = "$PULL_BASE" ]; then
  # A pull request is checked out merged: its first parent is the base, and PULL_BASE may be older.
  { read -r first; read -r second; } < <(git cat-file commit HEAD | sed -n '/^$/q; s/^parent //p'; echo; echo) || true
  if [ "$second" = "$PULL_HEAD" ]; then BASE="$first"; fi
fi
commit="$(commit_of "$BASE")" || give_up "it is not here, and cannot be fetched"

files="$FOLDER/files"
rm -rf -- "$FOLDER"
mkdir -p -- "$files"
export GIT_INDEX_FILE="$FOLDER/index"
top="$(git rev-parse --show-toplevel)"
git read-tree "$commit"
GIT_LFS_SKIP_SMUDGE=1 git -C "$top" checkout-index --quiet --all --prefix="$files/"
unset GIT_INDEX_FILE
complete

{
  echo "path=$files/$(git rev-parse --show-prefix)"
  echo "commit=$commit"
} >>"$GITHUB_OUTPUT"
echo "base: $commit"
