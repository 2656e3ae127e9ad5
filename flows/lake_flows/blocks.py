"""The block `Lake`: a lake's URL out of a bucket block, which has its credentials in it.

`lake server` registers it; on another server, `prefect block register -m lake_flows.blocks` does.
"""

from typing import Any, Self

from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient
from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket
from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_gcp import BigQueryWarehouse, GcpCredentials
from prefect_gcp.cloud_storage import GcsBucket
from prefect_sqlalchemy import SqlAlchemyConnector
from pydantic import Field, HttpUrl, field_validator, model_validator

__all__ = [
    "AwsCredentials",
    "AzureBlobStorageContainer",
    "AzureBlobStorageCredentials",
    "BigQueryWarehouse",
    "GcpCredentials",
    "GcsBucket",
    "LakeBlock",
    "MinIOCredentials",
    "S3Bucket",
    "SqlAlchemyConnector",
]


class LakeBlock(Block):
    """Where a lake is, and what opens it.

    Flows and `lake.toml` name it: `lake = "block:prod"`, `lake.url = { block = "prod" }`. The
    credentials are looked up by each run, so that one that was rotated is seen by the next.
    """

    _block_type_name = "Lake"
    _block_type_slug = "lake"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/"
        "d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"
    )

    bucket: S3Bucket | GcsBucket | AzureBlobStorageContainer | None = Field(
        default=None, description="The bucket that it lies in, with its credentials."
    )
    folder: str = Field(
        default="", description="The folder of the lake below the bucket's own folder."
    )
    url: str | None = Field(
        default=None,
        title="URL",
        description="In place of a bucket, where credentials come from the worker's environment.",
    )

    @field_validator("bucket", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any) -> Any:
        """Read a stored bucket as what it is: trying one kind after the other asks for logins."""
        if not isinstance(value, dict):
            return value
        kinds: dict[str, type[Block]] = {
            "bucket_name": S3Bucket,
            "bucket": GcsBucket,
            "container_name": AzureBlobStorageContainer,
        }
        for field, kind in kinds.items():
            if field in value:
                return kind.model_validate(value)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.bucket is None) == (not self.url):
            raise ValueError("a Lake has either a bucket or a URL")
        return self


async def register(client: PrefectClient) -> None:
    """Make a server know the block, and those that it builds upon; what it knows stays."""
    for block in (LakeBlock, SqlAlchemyConnector):
        await block.aregister_type_and_schema(client=client)
