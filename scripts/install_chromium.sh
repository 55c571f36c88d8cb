#!/usr/bin/env bash
# Installs Debian's or Ubuntu's Chromium for the browser tests, where there is none yet. Needs root.
set -euo pipefail
if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || [ -x "${POSELINE_CHROMIUM:-}" ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "install_chromium.sh: no Chromium here and no rights to install it; install it, or name it in POSELINE_CHROMIUM" >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
