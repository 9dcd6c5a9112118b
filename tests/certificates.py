"""Certificates of an authority of the test's own."""

import ssl
import subprocess
from pathlib import Path


class Certificates:
    """A certificate authority, by the command `openssl`; what was issued once is not made again."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self.name = name
        self._issued: dict[tuple[str, ...], tuple[Path, Path]] = {}
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip

    @property
    def ca(self) -> Path:
        """The authority's own certificate."""
        return self.folder / f"{self.name}.pem"

    @property
    def ca_key(self) -> Path:
        """The key of the authority's own certificate."""
        return self.folder / f"{self.name}.key"

    def issue(self, name: str, *alternatives: str) -> tuple[Path, Path]:
        """Return a certificate and its key, with alternative names such as `DNS:prometheus`."""
        wanted = (name, *alternatives)
        if wanted not in self._issued:
            self._issued[wanted] = self._issue(f"{len(self._issued)}-{name}", name, *alternatives)
        return self._issued[wanted]

    def client(self, *chain: Path) -> ssl.SSLContext:
        """Return how a client that trusts this authority connects, perhaps by a certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if chain:
            cert, key = chain
            context.load_cert_chain(cert, key)
        return context

    def _issue(self, file: str, name: str, *alternatives: str) -> tuple[Path, Path]:
        names = self.folder / f"{file}.ext"
        names.write_text(f"subjectAltName={','.join(alternatives or ('IP:127.0.0.1',))}\n")
        self._openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{file}.key", "-out", f"{file}.csr",
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", f"{file}.csr", "-CA", self.ca.name, "-CAkey", self.ca_key.name,
            "-days", "2", "-CAcreateserial", "-extfile", names.name, "-out", f"{file}.pem",
        )  # fmt: skip
        return self.folder / f"{file}.pem", self.folder / f"{file}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
