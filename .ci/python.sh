# Sourced by scripts that want tools from PyPI: they come into a folder of their own, once.

# python_with NAME PACKAGE...: sets `python_folder` to a virtual environment that holds the packages. Another list of packages
# makes another folder.
python_with() {
  local name=$1
  shift
  local key
  key=$(printf '%s\n' "$@" | sha256sum | cut -c1-12)
  python_folder=${XDG_CACHE_HOME:-$HOME/.cache}/rocketchat-import/$name-$key
  if ! [[ -e $python_folder/complete ]]; then
    printf '%s: installing %s\n' "$0" "$*"
    rm -rf "$python_folder"
    python3 -m venv "$python_folder"
    "$python_folder/bin/pip" install --quiet --disable-pip-version-check "$@"
    touch "$python_folder/complete"
  fi
}
