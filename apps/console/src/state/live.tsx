"use client";
/** What all pages share: the cluster and its numbers as they come, and whether they come. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { ClusterSnapshot, ErrorBody, Tick } from "../wire.ts";
import { getJson } from "./fetch-json.ts";

interface ClusterAnswer {
  readonly snapshot: ClusterSnapshot;
  readonly tick: Tick;
}

/** Whether updates come, and since when they do not. */
export interface LiveState {
  readonly link: "connecting" | "open" | "lost";
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  /** When the last update came, by this browser's clock; what the age of the page is counted from. */
  readonly lastMs: () => number;
  /** Console's clock minus this browser's, milliseconds. */
  readonly skewMs: () => number;
}

const LiveContext = createContext<LiveState | undefined>(undefined);

const CLUSTER_KEY = ["cluster"] as const;
const TICK_KEY = ["tick"] as const;

/** Opens one event stream for the tab while it is visible, and keeps its news in the query cache. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [link, setLink] = useState<LiveState["link"]>("connecting");
  const [paused, setPausedState] = useState(false);
  const last = useRef(0);
  const skew = useRef(0);
  const pausedRef = useRef(false);
  const held = useRef<{ snapshot?: ClusterSnapshot; tick?: Tick }>({});

  const setPaused = useCallback(
    (next: boolean) => {
      pausedRef.current = next;
      setPausedState(next);
      if (next) return;
      if (held.current.snapshot) client.setQueryData(CLUSTER_KEY, held.current.snapshot);
      if (held.current.tick) client.setQueryData(TICK_KEY, held.current.tick);
      held.current = {};
    },
    [client],
  );

  useEffect(() => {
    // Every number of it is new: to look for what is the same would cost more than to draw it.
    client.setQueryDefaults(TICK_KEY, { structuralSharing: false });
    let source: EventSource | undefined;
    const open = () => {
      source?.close();
      setLink("connecting");
      source = new EventSource("/api/events");
      source.addEventListener("open", () => setLink("open"));
      source.addEventListener("error", () => setLink("lost"));
      source.addEventListener("cluster", (event) => {
        const snapshot = JSON.parse(event.data) as ClusterSnapshot;
        if (pausedRef.current) held.current.snapshot = snapshot;
        else client.setQueryData(CLUSTER_KEY, snapshot);
      });
      source.addEventListener("tick", (event) => {
        const tick = JSON.parse(event.data) as Tick;
        skew.current = tick.atMs - Date.now();
        if (pausedRef.current) {
          held.current.tick = tick;
          return;
        }
        last.current = Date.now();
        client.setQueryData(TICK_KEY, tick);
      });
    };
    // A hidden tab lets go of its stream: browsers allow six of them for all tabs together.
    const follow = () => {
      if (document.hidden) {
        source?.close();
        source = undefined;
      } else if (!source) open();
    };
    open();
    document.addEventListener("visibilitychange", follow);
    return () => {
      document.removeEventListener("visibilitychange", follow);
      source?.close();
    };
  }, [client]);

  const value = useMemo<LiveState>(
    () => ({ link, paused, setPaused, lastMs: () => last.current, skewMs: () => skew.current }),
    [link, paused, setPaused],
  );
  return <LiveContext.Provider value={value}>{children}</LiveContext.Provider>;
}

/** Whether updates come. */
export function useLive(): LiveState {
  const state = useContext(LiveContext);
  const takenOver = useTakenOver();
  if (!state) throw new Error("useLive is used outside of LiveProvider");
  // A part of the page that is taken over late may find a connection that was lost meanwhile.
  return takenOver ? state : { ...state, link: "connecting", paused: false };
}

const subscribeToNothing = () => () => {};

/**
 * False while the server's page is taken over, true from then on. News that came before must not show in that first
 * render: it has to be what the server sent.
 */
function useTakenOver(): boolean {
  return useSyncExternalStore(
    subscribeToNothing,
    () => true,
    () => false,
  );
}

/** The cluster as last known, or why it is not known. */
export function useCluster(): {
  snapshot: ClusterSnapshot | undefined;
  error: ErrorBody | undefined;
  retry: () => void;
} {
  const client = useQueryClient();
  const takenOver = useTakenOver();
  const query = useQuery<ClusterSnapshot, ErrorBody>({
    queryKey: CLUSTER_KEY,
    queryFn: async () => {
      const answer = await getJson<ClusterAnswer>("/api/cluster");
      client.setQueryData(TICK_KEY, (known: Tick | undefined) => known ?? answer.tick);
      return answer.snapshot;
    },
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: (state) => (state.state.status === "error" ? 3000 : false),
  });
  return {
    snapshot: takenOver ? query.data : undefined,
    error: query.data || !takenOver ? undefined : (query.error ?? undefined),
    retry: () => void query.refetch(),
  };
}

/** The numbers of this moment. */
export function useTick(): Tick | undefined {
  const takenOver = useTakenOver();
  const query = useQuery<Tick>({
    queryKey: TICK_KEY,
    queryFn: async () => (await getJson<ClusterAnswer>("/api/cluster")).tick,
    enabled: false,
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
  });
  return takenOver ? query.data : undefined;
}

/** The time, renewed at an interval; undefined until the page is alive in the browser. */
export function useNow(intervalMs = 1000): number | undefined {
  const [now, setNow] = useState<number>();
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}
