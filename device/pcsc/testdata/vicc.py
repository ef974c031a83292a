# Starts Debian's vicc (vsmartcard-vpicc), a card that is not ours. Its package lies where Python does not look, and wants the
# cryptography library under the name that this had before Debian 11. With --atr HEX, the last argument, its answer to reset is that one.
import runpy
import sys

import Cryptodome

sys.modules["Crypto"] = Cryptodome
sys.path.insert(0, "/usr/lib/python3/site-packages/virtualsmartcard")

atr = sys.argv.pop()
if sys.argv.pop() != "--atr":
    sys.exit("vicc.py: --atr HEX is the last argument")
if atr:
    from virtualsmartcard.VirtualSmartcard import Iso7816OS

    Iso7816OS.getATR = lambda self: bytes.fromhex(atr)
runpy.run_path("/usr/bin/vicc", run_name="__main__")
