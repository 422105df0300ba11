#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script of the VM that is commanded (pair.sh): does what left says, until left says that it is over.
# shellcheck source-path=SCRIPTDIR source=guest-pair.sh
. ./guest-pair.sh

cat >/tmp/agent <<'END'
#!/bin/sh
cd /t
. ./env
. ./guest-pair.sh
commands=$(cat)
(eval "$commands") </dev/null
echo "@status $?"
END
chmod +x /tmp/agent
uname -r
pair_up
nc -ll -p 7 -e /tmp/agent </dev/null >/tmp/nc.out 2>&1 &
over() { [ -e /tmp/over ]; }
poll "${PAIR_SECONDS:-1500}" "left never said that it is over" over
cat /tmp/over
echo "done, up $(uptime_s) s"
