# Starts Debian's vicc (vsmartcard-vpicc), a card that is not ours. Its package lies where Python does not look, and wants the
# cryptography library under the name that this had before Debian 11.
import runpy
import sys

import Cryptodome

sys.modules["Crypto"] = Cryptodome
sys.path.insert(0, "/usr/lib/python3/site-packages/virtualsmartcard")
runpy.run_path("/usr/bin/vicc", run_name="__main__")
