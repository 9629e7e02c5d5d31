"""`parent.py LOG NAMESPACE ACCOUNT`: start a child of this identity, then wait to be killed."""

import ast
import os
import signal
import sys
import time
from pathlib import Path

from deploy.process import Identity, spawn

log, namespace, account = sys.argv[1:]
identity = Identity(ast.literal_eval(namespace), ast.literal_eval(account))
command = ["sh", "-c", "echo started; exec sleep 600"]
child = spawn(
    command, env=dict(os.environ), log=Path(log), death_signal=signal.SIGTERM, identity=identity
)
while "started" not in Path(log).read_text():
    assert child.poll() is None
    time.sleep(0.005)
print("child", child.pid)
time.sleep(600)
