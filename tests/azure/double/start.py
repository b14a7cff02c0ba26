"""A running double in this process: its two listeners, and what a client has to set to reach it."""

import shutil
import threading
from pathlib import Path

from tests.azure.double.azure import Azure, Settings
from tests.azure.double.certificates import Authority
from tests.azure.double.computes import AKS_NAME as AKS
from tests.azure.double.proxy import Server


class Double:
    """The double, listening; `environment` is what surrounds a client of it."""

    def __init__(self, settings: Settings, folder: Path, port: int, control: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Blobs are told apart by this run's names only; what an earlier run left would look uploaded.
        shutil.rmtree(folder / "blobs", ignore_errors=True)
        certificates = folder / "certificates"
        certificates.mkdir(exist_ok=True)
        authority = Authority(certificates)
        self.azure = Azure(settings, folder)
        self._servers = [Server(port, self.azure, authority), Server(control, self.azure, None)]
        proxy, plain = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self.azure.address = plain
        self.environment = self.azure.surroundings = {
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(authority.bundle),
            "SSL_CERT_FILE": str(authority.bundle),
            "IDENTITY_ENDPOINT": f"{plain}/msi/token",
            "IDENTITY_HEADER": settings.identity_header,
            "AZURE_SUBSCRIPTION_ID": settings.subscription,
            "AZURE_RESOURCE_GROUP": settings.resource_group,
            "AZUREML_WORKSPACE": settings.workspace,
            "AZURE_TENANT_ID": settings.tenant,
            "AZURE_CLIENT_ID": settings.client,
            "AZURE_CLIENT_SECRET": settings.secret,
            "AZURE_LOCATION": settings.location,
            "AZUREML_AKS": AKS,
        }

    def serve(self) -> None:
        """Answer from threads until `stop`."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """End the listeners and what the areas started."""
        self.azure.faults.clear()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self.azure.close()
