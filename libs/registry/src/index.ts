export { type EmbeddedRegistry, type EmbeddedRegistryOptions, startEmbeddedRegistry } from "./embedded/server.ts";
export { type PersistentRegistrationOptions, registerPersistently } from "./persistent-registration.ts";
export { connectRegistry, type RegistryOptions } from "./registry.ts";
export type { RegistryLog } from "./registry-log.ts";
