#!/usr/bin/env bash
# Build the image with buildah, which needs no running container engine.
#
#   deploy/build-image.sh [--target demo] [--tag NAME] [--base IMAGE] [-- ARGUMENTS OF BUILDAH]
#
# Without --base it uses the Python image of the Dockerfile. Without access to a registry,
# `--base debootstrap` first builds a base from Debian packages (needs root) and prints its name;
# `--base NAME` then uses it.
set -euo pipefail
shopt -s inherit_errexit # fail if the base could not be built
cd "$(dirname "$0")/.."

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }

target=exporter tag='' base=''
while [ $# -gt 0 ]; do
  case "$1" in
    --target) target=$2; shift 2 ;;
    --tag) tag=$2; shift 2 ;;
    --base) base=$2; shift 2 ;;
    --) shift; break ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
if [ -z "$tag" ]; then
  tag=voice-exporter
  [ "$target" = exporter ] || tag+="-$target"
fi

# What the official image is made of, as far as the Dockerfile relies on it.
debian_base() {
  local name=localhost/voice-exporter-base:bookworm container
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT # of the subshell that this runs in, where nothing is local any more
  debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-venv \
    bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >&2
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/{doc,man,locale}/*
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$root" / >/dev/null
  buildah commit --quiet --rm "$container" "$name" >/dev/null
  echo "$name"
}

if [ "$base" = debootstrap ]; then
  base=$(debian_base)
  echo "base: $base"
fi

arguments=(
  --isolation "${BUILDAH_ISOLATION:-chroot}"
  --format docker # the health check has no place in OCI's
  --target "$target"
  --tag "$tag"
  --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || true)"
)
[ -z "$base" ] || arguments+=(--build-arg "BASE=$base")
buildah bud "${arguments[@]}" "$@" .
