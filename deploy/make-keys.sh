#!/bin/sh
# Make the credentials of the demo's livekit-server, once, into the folder given.
#
# The server reads keys.yaml, and refuses it when others may; agent and exporter read the two other
# files, by the group 0, which is theirs.
set -eu
folder=$1
umask 027

[ ! -s "$folder/keys.yaml" ] || exit 0

random() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# The name is in livekit.yaml too, which says whose webhooks are; only the secret is one.
key=APIvoiceexporter secret=$(random 32)
printf %s "$key" >"$folder/api_key"
printf %s "$secret" >"$folder/api_secret"
# Last, and in one step: it shows that the others exist.
printf '%s: %s\n' "$key" "$secret" >"$folder/keys.yaml.new"
mv "$folder/keys.yaml.new" "$folder/keys.yaml"
