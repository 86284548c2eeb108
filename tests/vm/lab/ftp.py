# SPDX-License-Identifier: GPL-2.0-only
"""FTP servers (vsftpd) and clients (curl, ftplib) on the lab's machines."""

import ftplib
import hashlib
import os
import pathlib
import shutil
import socket
import tempfile

from .eventually import eventually
from .programs import pattern

_CONFIGURATION = """
listen={listen4}
listen_ipv6={listen6}
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
connect_from_port_20=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
ftpd_banner={name}
"""

MODES = {"PASV": ["--disable-epsv", "--no-ftp-skip-pasv-ip"], "EPSV": [], "PORT": ["--ftp-port", "-", "--disable-eprt"],
         "EPRT": ["--ftp-port", "-"]}


class FtpServer:
    """A server whose greeting is its machine's name, with a file `pattern` of `SIZE` bytes and a folder `incoming`."""

    SIZE = 200_000

    def __init__(self, node, family=socket.AF_INET):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ftp-{node.name}-"))
        self._folder.chmod(0o755)
        root = self._folder / "root"
        for folder in (root, root / "incoming", self._folder / "empty"):
            folder.mkdir(mode=0o755)
        shutil.chown(root / "incoming", "ftp")
        (root / "pattern").write_bytes(pattern(self.SIZE))
        self._incoming = root / "incoming"
        is_ipv6 = family == socket.AF_INET6
        configuration = self._folder / "vsftpd.conf"
        configuration.write_text(_CONFIGURATION.format(listen4="NO" if is_ipv6 else "YES", listen6="YES" if is_ipv6 else "NO", root=root,
                                                       empty=self._folder / "empty", name=node.name), "ascii")
        self._process = node.start("vsftpd", configuration)
        eventually(lambda: _listens(node, family), within=20)

    def received(self, name):
        """The SHA-256 of a file that a client has sent, or None."""
        path = self._incoming / name
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    def close(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)


def _listens(node, family):
    try:
        with node.socket(family) as probe:
            probe.connect(("127.0.0.1" if family == socket.AF_INET else "::1", 21))
        return True
    except OSError:
        return False


def transfer(node, host, mode):
    """Fetch `pattern` twice and store it as `stored`, all in one session in one of `MODES`; the SHA-256 of what came."""
    folder = tempfile.mkdtemp()
    source, *arrived = (os.path.join(folder, name) for name in ("source", "one", "two"))
    pathlib.Path(source).write_bytes(pattern(FtpServer.SIZE))
    base = f"ftp://{host}"
    common = ["--silent", "--show-error", "--max-time", 60, *MODES[mode]]
    node.run("curl", *common, f"{base}/pattern", "-o", arrived[0], f"{base}/pattern", "-o", arrived[1], "--next", *common,
             "-T", source, f"{base}/incoming/stored")
    digests = {hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in arrived}
    shutil.rmtree(folder)
    return digests


class FtpSession(ftplib.FTP):
    """A control connection, logged in, from a machine of the lab."""

    def __init__(self, node, host, port=21):
        super().__init__(timeout=20)
        with node:
            self.connect(host, port)
            self.login()

    def passive(self, command="PASV"):
        """Have the server listen; the words of its reply."""
        return self.sendcmd(command)
