"""RDS: replicas of their own, and the fields of enhanced monitoring and Performance Insights."""

import copy
import random
import string

from moto.core.responses import ActionResult
from moto.rds import models, responses

from .refusals import keep_apply_method


def resource_id():
    return "db-" + "".join(random.choices(string.ascii_uppercase + string.digits, k=26))


# Arguments in small letters, as moto's calls spell them differently -> what moto answers from.
MONITORING = {
    "enableperformanceinsights": "performance_insights_enabled",
    "performanceinsightskmskeyid": "PerformanceInsightsKMSKeyId",
    "performanceinsightsretentionperiod": "PerformanceInsightsRetentionPeriod",
    "monitoringinterval": "MonitoringInterval",
    "monitoringrolearn": "MonitoringRoleArn",
}


def set_monitoring(instance, given):
    for key, value in given.items():
        attribute = MONITORING.get(key.lower().replace("_", ""))
        if attribute and value is not None:
            setattr(instance, attribute, value)


def describe_db_engine_versions(self):
    engine = self.params.get("Engine") or "postgres"
    version = self.params.get("EngineVersion") or "18.1"
    known = {
        "Engine": engine,
        "EngineVersion": version,
        "DBParameterGroupFamily": engine + version.split(".")[0],
        "Status": "available",
        "ValidUpgradeTarget": [],
        "SupportsReadReplica": True,
        "ExportableLogTypes": ["postgresql", "upgrade"],
    }
    return ActionResult({"DBEngineVersions": [known]})


def update_parameters(group, new):
    for parameter in new:
        group.parameters[parameter["ParameterName"]].update(keep_apply_method(parameter) | {"Source": "user"})


def tell_master_passwords():
    """A question that AWS does not answer: /moto-api/master-password/<instance>."""
    from moto.moto_api._internal import urls

    def answer(request, full_url, headers):
        backend = models.rds_backends["123456789012"]["eu-west-1"]
        return 200, {}, backend.databases[full_url.rsplit("/", 1)[1]]._master_user_password

    urls.url_paths["{0}/moto-api/master-password/(?P<name>[^/]+)$"] = answer


def extend():
    tell_master_passwords()
    make, update = models.DBInstance.__init__, models.DBInstance.update

    def made(self, *args, **given):
        make(self, *args, **given)
        self.dbi_resource_id = resource_id()
        if self.ca_certificate_identifier == "rds-ca-default":
            self.ca_certificate_identifier = "rds-ca-rsa2048-g1"
        set_monitoring(self, given)

    def updated(self, *args, **given):
        update(self, *args, **given)
        set_monitoring(self, given)

    # moto copies the primary; what belongs to the replica alone is set on the copy.
    make_replica = models.RDSBackend.create_db_instance_read_replica

    def replica_made(self, given):
        real = copy.copy

        def copied(primary):
            replica = real(primary)
            replica.dbi_resource_id = resource_id()
            replica.tags = list(given.get("tags") or [])
            replica.replicas = []
            replica.enabled_cloudwatch_logs_exports = list(given.get("enable_cloudwatch_logs_exports") or [])
            replica.multi_az = bool(given.get("multi_az"))
            replica.backup_retention_period = 0
            return replica

        models.copy.copy = copied
        try:
            return make_replica(self, given)
        finally:
            models.copy.copy = real

    models.DBInstance.__init__ = made
    models.DBInstance.update = updated
    models.RDSBackend.create_db_instance_read_replica = replica_made
    models.DBParameterGroup.update_parameters = update_parameters
    responses.RDSResponse.describe_db_engine_versions = describe_db_engine_versions
