import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countersOf, parseMetrics, serverFigures } from "./server-metrics.ts";

const before = `# HELP x y
ringlight_cache_requests_total{tier="mem",outcome="hit",miss_reason="",mount="a"} 10
ringlight_cache_requests_total{tier="",outcome="miss",miss_reason="cold",mount="a"} 5
ringlight_ufs_io_bytes_total{mount="a",op="get",status="ok"} 1000
process_cpu_time_seconds_total 2.5
`;
const after = `ringlight_cache_requests_total{tier="mem",outcome="hit",miss_reason="",mount="a"} 40
ringlight_cache_requests_total{tier="ssd",outcome="hit",miss_reason="",mount="a"} 20
ringlight_cache_requests_total{tier="",outcome="miss",miss_reason="cold",mount="a"} 15
ringlight_cache_requests_total{tier="",outcome="joined",miss_reason="",mount="a"} 20
ringlight_cache_io_bytes_total{tier="mem",outcome="hit",miss_reason="",mount="a \\"b\\""} 3000
ringlight_cache_io_bytes_total{tier="",outcome="miss",miss_reason="cold",mount="a"} 1000
ringlight_ufs_io_bytes_total{mount="a",op="get",status="ok"} 3000
ringlight_ufs_request_duration_seconds_count{mount="a",op="get",status="ok"} 7
process_cpu_time_seconds_total 4
`;

describe("the servers' counters", () => {
  it("become hit rates by tier, bytes from the store and read amplification of a round", () => {
    const figures = serverFigures(countersOf([parseMetrics(before)], 0), countersOf([parseMetrics(after)], 1));
    assert.deepEqual(figures.pages, { "hit mem": 30, "hit ssd": 20, "miss cold": 10, joined: 20 });
    assert.equal(figures.hitRate, 50 / 80);
    assert.deepEqual(figures.hitRateByTier, { mem: 30 / 80, ssd: 20 / 80 });
    assert.deepEqual([figures.storeBytes, figures.storeRequests, figures.amplification], [2000, 7, 0.5]);
    assert.equal(figures.cpuSeconds, 1.5);
  });

  it("of several workers are added", () => {
    const both = countersOf([parseMetrics(before), parseMetrics(before)], 0);
    assert.equal(both.pages["hit mem"], 20);
    assert.equal(both.storeBytes, 2000);
  });
});
