//! The container of a job definition, as the SDK's types and back.

use aws_sdk_batch::types;

use crate::definition::{
    ContainerProperties, Device, Efs, Host, LinuxParameters, LogConfiguration, MountPoint,
    Requirement, Tmpfs, Variable, Volume,
};

/// Numbers of the bundle come from checked attributes and are far below this type's limit.
pub(super) fn to_i32(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

pub(super) fn to_container(container: &ContainerProperties) -> types::ContainerProperties {
    let requirement = |requirement: &Requirement| {
        types::ResourceRequirement::builder()
            .r#type(types::ResourceType::from(requirement.kind.as_str()))
            .value(&requirement.value)
            .build()
    };
    let variable = |variable: &Variable| {
        types::KeyValuePair::builder()
            .name(&variable.name)
            .value(&variable.value)
            .build()
    };
    let mount = |mount: &MountPoint| {
        types::MountPoint::builder()
            .source_volume(&mount.source_volume)
            .container_path(&mount.container_path)
            .build()
    };
    let log = |log: &LogConfiguration| {
        let options = log.options.clone();
        types::LogConfiguration::builder()
            .log_driver(types::LogDriver::from(log.log_driver.as_str()))
            .set_options((!options.is_empty()).then(|| options.into_iter().collect()))
            .build()
    };
    let requirements = container.resource_requirements.iter().map(requirement);
    types::ContainerProperties::builder()
        .image(&container.image)
        .set_command(Some(container.command.clone()))
        .job_role_arn(&container.job_role_arn)
        .set_execution_role_arn(container.execution_role_arn.clone())
        .set_resource_requirements(Some(requirements.collect()))
        .set_environment(Some(container.environment.iter().map(variable).collect()))
        .set_linux_parameters(container.linux_parameters.as_ref().map(to_linux))
        .set_volumes(some(container.volumes.iter().map(to_volume)))
        .set_mount_points(some(container.mount_points.iter().map(mount)))
        .set_log_configuration(container.log_configuration.as_ref().map(log))
        .set_privileged(container.privileged)
        .build()
}

fn to_linux(linux: &LinuxParameters) -> types::LinuxParameters {
    let device = |device: &Device| {
        let permissions = device.permissions.iter();
        let permissions =
            permissions.map(|word| types::DeviceCgroupPermission::from(word.as_str()));
        types::Device::builder()
            .host_path(&device.host_path)
            .container_path(&device.container_path)
            .set_permissions(Some(permissions.collect()))
            .build()
    };
    let tmpfs = |tmpfs: &Tmpfs| {
        types::Tmpfs::builder()
            .container_path(&tmpfs.container_path)
            .size(to_i32(tmpfs.size))
            .set_mount_options(Some(tmpfs.mount_options.clone()))
            .build()
    };
    types::LinuxParameters::builder()
        .set_shared_memory_size(linux.shared_memory_size.map(to_i32))
        .set_max_swap(linux.max_swap.map(to_i32))
        .set_swappiness(linux.swappiness.map(to_i32))
        .set_devices(some(linux.devices.iter().map(device)))
        .set_tmpfs(some(linux.tmpfs.iter().map(tmpfs)))
        .build()
}

fn to_volume(volume: &Volume) -> types::Volume {
    let host = |host: &Host| {
        types::Host::builder()
            .source_path(&host.source_path)
            .build()
    };
    let efs = |efs: &Efs| {
        types::EfsVolumeConfiguration::builder()
            .file_system_id(&efs.file_system_id)
            .transit_encryption(types::EfsTransitEncryption::from(
                efs.transit_encryption.as_str(),
            ))
            .build()
    };
    types::Volume::builder()
        .name(&volume.name)
        .set_host(volume.host.as_ref().map(host))
        .set_efs_volume_configuration(volume.efs_volume_configuration.as_ref().map(efs))
        .build()
}

/// A list that is left out where it is empty.
fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// `None` if it is not of the form that flowc writes.
pub(super) fn from_live(container: &types::ContainerProperties) -> Option<ContainerProperties> {
    let requirement = |requirement: &types::ResourceRequirement| {
        Some(Requirement {
            kind: requirement.r#type()?.as_str().to_owned(),
            value: requirement.value()?.to_owned(),
        })
    };
    let variable = |variable: &types::KeyValuePair| {
        Some(Variable {
            name: variable.name()?.to_owned(),
            value: variable.value().unwrap_or_default().to_owned(),
        })
    };
    let mount = |mount: &types::MountPoint| {
        Some(MountPoint {
            source_volume: mount.source_volume()?.to_owned(),
            container_path: mount.container_path()?.to_owned(),
        })
    };
    let log = |log: &types::LogConfiguration| {
        let options = log.options().into_iter().flatten();
        Some(LogConfiguration {
            log_driver: log.log_driver()?.as_str().to_owned(),
            options: options
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        })
    };
    let requirements = container.resource_requirements().iter().map(requirement);
    let environment = container.environment().iter().map(variable);
    let linux = container.linux_parameters();
    Some(ContainerProperties {
        image: container.image()?.to_owned(),
        command: container.command().to_vec(),
        job_role_arn: container.job_role_arn()?.to_owned(),
        execution_role_arn: container.execution_role_arn().map(str::to_owned),
        resource_requirements: requirements.collect::<Option<_>>()?,
        environment: environment.collect::<Option<_>>()?,
        linux_parameters: match linux {
            Some(linux) => Some(from_linux(linux)?),
            None => None,
        },
        volumes: container
            .volumes()
            .iter()
            .map(from_volume)
            .collect::<Option<_>>()?,
        mount_points: container
            .mount_points()
            .iter()
            .map(mount)
            .collect::<Option<_>>()?,
        log_configuration: container.log_configuration().and_then(log),
        privileged: container.privileged().filter(|privileged| *privileged),
    })
}

fn from_linux(linux: &types::LinuxParameters) -> Option<LinuxParameters> {
    let device = |device: &types::Device| {
        let permissions = device.permissions().iter();
        Some(Device {
            host_path: device.host_path()?.to_owned(),
            container_path: device.container_path()?.to_owned(),
            permissions: permissions.map(|word| word.as_str().to_owned()).collect(),
        })
    };
    let tmpfs = |tmpfs: &types::Tmpfs| {
        Some(Tmpfs {
            container_path: tmpfs.container_path()?.to_owned(),
            size: tmpfs.size()?.try_into().ok()?,
            mount_options: tmpfs.mount_options().to_vec(),
        })
    };
    Some(LinuxParameters {
        shared_memory_size: linux
            .shared_memory_size()
            .and_then(|size| size.try_into().ok()),
        max_swap: linux.max_swap().map(i64::from),
        swappiness: linux.swappiness().map(i64::from),
        devices: linux.devices().iter().map(device).collect::<Option<_>>()?,
        tmpfs: linux.tmpfs().iter().map(tmpfs).collect::<Option<_>>()?,
    })
}

fn from_volume(volume: &types::Volume) -> Option<Volume> {
    let efs = |efs: &types::EfsVolumeConfiguration| {
        Some(Efs {
            file_system_id: efs.file_system_id()?.to_owned(),
            transit_encryption: efs.transit_encryption()?.as_str().to_owned(),
        })
    };
    Some(Volume {
        name: volume.name()?.to_owned(),
        host: volume.host().and_then(|host| {
            Some(Host {
                source_path: host.source_path()?.to_owned(),
            })
        }),
        efs_volume_configuration: volume.efs_volume_configuration().and_then(efs),
    })
}
