"""RDS: replicas with values of their own, and the fields of enhanced monitoring and Performance Insights."""

import copy
import random
import string

from moto.moto_api._internal import urls
from moto.rds import models

from . import instead
from .refusals import keep_apply_method, value_is_allowed


def resource_id():
    return "db-" + "".join(random.choices(string.ascii_uppercase + string.digits, k=26))


# Arguments in lower case, as moto's calls spell them differently -> the attributes that moto answers from.
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


@instead(models.DBParameterGroup, "update_parameters")
def _(_, group, new):
    for parameter in new:
        value_is_allowed(group.family, parameter)
        group.parameters[parameter["ParameterName"]].update(keep_apply_method(parameter) | {"Source": "user"})


def master_password(request, full_url, headers):
    """The master password, which AWS never returns: /moto-api/master-password/<instance>."""
    backend = models.rds_backends["123456789012"]["eu-west-1"]
    return 200, {}, backend.databases[full_url.rsplit("/", 1)[1]]._master_user_password


urls.url_paths["{0}/moto-api/master-password/(?P<name>[^/]+)$"] = master_password


@instead(models.DBInstance, "__init__")
def _(make, self, *args, **given):
    make(self, *args, **given)
    self.dbi_resource_id = resource_id()
    set_monitoring(self, given)


@instead(models.DBInstance, "update")
def _(update, self, *args, **given):
    update(self, *args, **given)
    set_monitoring(self, given)


@instead(models.RDSBackend, "create_db_instance_read_replica")
def _(make, self, given):
    """moto copies the primary; this sets the replica's own values on the copy."""
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
        return make(self, given)
    finally:
        models.copy.copy = real
