mod route_golden;
mod route_router;
