mod route_golden;
mod route_router;
mod backup_checksum;
mod backup_format;
mod backup_profile;
mod backup_rows;
mod backup_script;
