# Varnish keeping whole objects in memory, in front of the nginx that serves files.
vcl 4.1;
backend store { .host = "127.0.0.1"; .port = "@STORE@"; }
sub vcl_backend_response { set beresp.ttl = 24h; }
