// SPDX-License-Identifier: GPL-2.0-only
#![cfg_attr(fuzzing, no_main)]

rvs_host_fuzz::target!(tunnel_headers);
