/** Shapes of what the commands print with --json; documented in docs/cli.md and kept stable. */
export const JSON_SHAPES: Readonly<Record<string, string>> = {
  up: '{"event":"ready","cluster","console","s3Endpoint","accessKeyId","credentialsFile","registry","scheduler","workers":[{"id","grpc","s3","rest","pid"}],"tokenFile","logs","supervisor","pids":{},"mounts":[],"startedInMs"}, once; everything else goes to standard error',
  status:
    '{"cluster","epoch","leader","registryConnected","asOfMs","workers":[{"id","state":"up"|"down","weight","share","address","startedMs","tiers":[{"name","usedBytes","limitBytes","pages"}],"hits","misses","joined","bytesFromCache","bytesFromUfs"}],"answered","total","mounts":[],"schedulers":[{"id","address","leading"}]}',
  "mount ls":
    '{"mounts":[{"name","uri","readOnly","freshness","replicas","credentials","access","options":{},"createdMs","checks":[{"worker","ok","errorCode","message","durationMs"}]}],"answered","total"}; checks with --check',
  "mount add": '{"added":{"name","uri",...}} or {"valid":{...}} with --dry-run',
  "mount rm": '{"removed":"name"}',
  ls: 'a line for each entry: {"path","type":"mount"|"directory"} or {"path","type":"object","sizeBytes","modifiedMs","version","cachedBytes","cachedShare"}; the cached ones with --long',
  stat: '{"path","sizeBytes","version","etag","modifiedMs","contentType","userMetadata":{},"cachedBytes","cachedShare","pageBytes","pages","answered","total"}',
  cp: '{"copied":[{"path","file","sizeBytes"}],"failed":[{"path","code","message"}],"bytes","durationMs"}',
  explain:
    '{"path","mount","ufsUri","object":{"sizeBytes","version","etag","modifiedMs"}|null,"epoch","segments":[{"segment","arc","owners":[]}],"pageBytes","pageCount","cached":[{"first","last"}],"cachedBytes","nextRead":{"outcome":"hit"|"miss","reason","sentence","remedy","evictedBy":"ttl"|"quota"|null},"policy":{"ttlMs","pin","priority","rules":[]}|null,"metadataAgeMs","accesses":[{"worker","atMs","offset","length","outcome","tier","missReason","durationMs","traceId"}],"read":an access, or null for a path,"epochs":[{"epoch","atMs","cause","owners":[]}],"answered","total"}',
  cache:
    '{"atMs","tiers":[{"name","pages","bytes","ages":[{"from","to","pages","bytes"}],"uses":[…]}],"paths":[{"path","bytes","pages","objects"}],"otherBytes","unnamedBytes","hot":[{"path","requests","bytes"}],"hotWindowMs","answered","total"}; with --mrc {"sinceMs","requests","hitRatio","advice"|null,"points":[{"scale","bytes","hitRatio"}],"changes":[{"tier","factor","bytes","hitRatio"}],"tiers":[{"name","limitBytes","usedBytes"}],"workingSets":[{"windowMs","bytes"}],"sampleRate","answered","total"}',
  ring: '{"epoch","arcs","replicas","members":[{"id","weight","arcs","share","fairShare","up"}]}; with a path also {"path","arc","owners":[]}',
  "capture start":
    '{"captures":[{"worker","running","file","startedMs","requests","dropped","bytes","ended"}],"answered","total"}',
  "capture stop":
    '{"captures":[…],"answered","total"}, each as capture start prints it; with --out also "files":[{"worker","file","bytes"}]',
  "capture status": '{"captures":[…],"answered","total"}, each as capture start prints it',
  traces:
    '{"traces":[{"traceId","name","service","instance","startMs","durationMs","spanCount","errorCount","services":[],"outcome","missReason","tier","mount","jobId"}],"next","complete"}',
  trace:
    '{"summary":{…},"resources":[{"service","instance","attributes":{}}],"spans":[{"spanId","parentSpanId","name","kind","startMs","durationMs","status","resource","attributes":{},"events":[],"links":[]}],"offset","total","logCount"}; the Traces page opens it again',
  logs: 'a line for each: {"id","atMs","level","message","service","instance","traceId","spanId","attributes":{}}',
  events: '{"events":[{"id","atMs","kind","subject","text","tone":"bad"|"good"|"plain","href"}],"more","sinceMs"}',
  audit: '{"entries":[{"id","atMs","user","role","action","subject","outcome","detail","remote"}],"more"}',
  load: "a job, as job show prints it, once it has ended; with --detach as it was submitted. So do free, sync, scrub, job watch and job retry",
  "job show":
    '{"id","kind","state","phase","pass","paths":[],"manifestPath","priority","submittedMs","startedMs"|null,"finishedMs"|null,"runningMs","reason":{"code","message"}|null,"listed":{"objects","bytes"},"listingEnded","loaded":{…},"cached":{…},"refused":{…},"failed":{…},"verifiedObjects","changedObjects","readBytes","objectsPerSecond","bytesPerSecond","remainingMs"|null,"takeovers","scheduler","traceId","retryOf"|null,"target"|null,"columns":[],"schedule"|null,"dueMs"|null,"dryRun","estimatedMs"|null,"cacheLimitBytes","cacheFreeBytes"}',
  "job ls": '{"jobs":[…]}, each as job show prints it',
  "policy ls":
    '{"rules":[{"name","path","ttl","pin","priority","quota","pages","bytes"}],"answered","total"}; of ttl, pin, priority and quota those that the rule has',
  "policy diff":
    '{"changes":[{"kind":"added"|"removed"|"changed"|"moved","before","after"}]}; a rule each, of moved the names in their order',
  "policy apply": '{"applied":true|false,"changes":[…]}, as policy diff prints them; false with --dry-run',
  "policy rm": '{"applied":true|false,"changes":[…]}, as policy diff prints them',
  "job failed": 'a line for each: {"path","code","message","worker","atMs"}',
};
