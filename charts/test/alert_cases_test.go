package chart

// well is what two replicas have who are well, beside what a gateway has that has just started.
var well = []string{
	`roomgate_connections{instance="*"} 10000x90`,
	`roomgate_connections_limit{instance="*"} 20000x90`,
	`process_resident_memory_bytes{instance="*"} 300000000x90`,
	`roomgate_redis_up{instance="*"} 1x90`,
}

// alertCases are series that differ from those, a sample each 30 s, and which alerts fire at any time in 45 minutes.
var alertCases = []struct {
	fire   []string
	quiet  string // what is no reason to call anybody
	series []string
}{
	{quiet: "all is well"},

	{fire: []string{"RoomgateRedisUnproven", "RoomgateRedisUnprovenHere"}, series: []string{`roomgate_redis_up{instance="*"} 1 0x89`}},
	{quiet: "a failover of twenty seconds", series: []string{`roomgate_redis_up{instance="*"} 1x9 0 1x79`}},
	{fire: []string{"RoomgateRedisUnprovenHere"}, series: []string{`roomgate_redis_up 0x90`}},
	{quiet: "one replica for four minutes", series: []string{`roomgate_redis_up 0x8 1x80`}},

	{fire: []string{"RoomgateAbsent"}, series: []string{`-roomgate_build_info`}},

	{fire: []string{"RoomgateOverload"}, series: []string{`roomgate_drops_total{reason="overload"} 0x9 1x80`}},
	{quiet: "a client that was slow", series: []string{`roomgate_drops_total{reason="slow_consumer"} 0x9 100x80`}},

	{fire: []string{"RoomgateOutboxesFull"}, series: []string{`roomgate_connections_ended_total{reason="outboxes_full"} 0x9 1x80`}},
	{fire: []string{"RoomgateSlowConsumers"}, series: []string{`roomgate_connections_ended_total{reason="slow_consumer"} 0+30x90`}},
	{quiet: "bad networks", series: []string{`roomgate_connections_ended_total{reason="slow_consumer"} 0+6x90`}},

	{fire: []string{"RoomgateLate"}, series: []string{`roomgate_fanout_seconds ~ 0.9`}},
	{quiet: "messages in time", series: []string{`roomgate_fanout_seconds ~ 0.01`}},
	{fire: []string{"RoomgateRedisSlow"}, series: []string{`roomgate_redis_round_trip_seconds ~ 0.9`}},
	{quiet: "Redis in time", series: []string{`roomgate_redis_round_trip_seconds ~ 0.01`}},

	{fire: []string{"RoomgateRedisFlaps"}, series: []string{`roomgate_redis_reconnects_total{reason="closed"} 0x9 1x9 2x9 4x60`}},
	{quiet: "one failover", series: []string{`roomgate_redis_reconnects_total{reason="canary"} 0x9 1x80`}},
	{quiet: "a Redis that was away", series: []string{`roomgate_redis_reconnects_total{reason="dial"} 0x9 20x80`}},

	{fire: []string{"RoomgateRedisMasterSilent"}, series: []string{`roomgate_redis_masters 3x90`, `roomgate_redis_masters_proven 2x90`}},
	{quiet: "all masters are heard", series: []string{`roomgate_redis_masters 3x90`, `roomgate_redis_masters_proven 3x90`}},
	{fire: []string{"RoomgateRedisSentinelsFew"}, series: []string{`roomgate_redis_sentinels 5x9 4x80`}},
	{quiet: "five Sentinels", series: []string{`roomgate_redis_sentinels 5x90`}},

	{fire: []string{"RoomgateRedisRefuses"}, series: []string{`roomgate_redis_reconnects_total{reason="auth"} 0x9 1x80`}},
	{fire: []string{"RoomgateRedisWouldRefuse"}, series: []string{`roomgate_redis_canary_errors_total 0+1x90`}},
	{quiet: "a short outage", series: []string{`roomgate_redis_canary_errors_total 0x9 3x80`}},
	{fire: []string{"RoomgateRoomRefused"}, series: []string{`roomgate_redis_rooms_refused_total 0x9 1x80`}},

	{fire: []string{"RoomgateFull"}, series: []string{`roomgate_connects_total{result="full"} 0x9 1x80`}},
	{quiet: "a deploy", series: []string{`roomgate_connects_total{result="draining"} 0x9 50x80`, `roomgate_connections_ended_total{reason="drain"} 0x9 10000x80`}},
	{fire: []string{"RoomgateNearlyFull"}, series: []string{`roomgate_connections 16000x90`}},
	{quiet: "two thirds full", series: []string{`roomgate_connections 14000x90`}},

	{fire: []string{"RoomgateMemory"}, series: []string{`process_resident_memory_bytes 900000000x90`}}, // of 1 GiB
	{quiet: "GOMEMLIMIT is reached", series: []string{`process_resident_memory_bytes 820000000x90`}},

	{fire: []string{"RoomgateClientsReturn"}, series: []string{`roomgate_reconnecting_clients_total 0+650x90`}},
	{quiet: "some come back", series: []string{`roomgate_reconnecting_clients_total 0+500x90`}},
	{fire: []string{"RoomgateDeadClients"}, series: []string{`roomgate_heartbeats_missed_total 0+75x90`}},
	{quiet: "phones that sleep", series: []string{`roomgate_heartbeats_missed_total 0+50x90`}},

	{fire: []string{"RoomgateTokensUnjudged"}, series: []string{`roomgate_auth_failures_total{reason="unavailable"} 0x9 1x80`}},
	{fire: []string{"RoomgateTokensRefused"}, series: []string{`roomgate_connects_total{result="accepted"} 0+300x90`, `roomgate_auth_failures_total{reason="signature"} 0+50x90`}},
	{quiet: "a few guesses", series: []string{`roomgate_connects_total{result="accepted"} 0+300x90`, `roomgate_auth_failures_total{reason="signature"} 0+25x90`}},
	{quiet: "tokens that ended", series: []string{`roomgate_connects_total{result="accepted"} 0+300x90`, `roomgate_auth_failures_total{reason="expired"} 0+100x90`}},
	{fire: []string{"RoomgateKeysOld"}, series: []string{`roomgate_auth_keys_fetched_timestamp_seconds{issuer="a"} -2000x90`}},
	{quiet: "keys of three quarters of an hour", series: []string{`roomgate_auth_keys_fetched_timestamp_seconds{issuer="a"} 0x90`}},

	{fire: []string{"RoomgateLimitBites"}, series: []string{`roomgate_limits_exceeded_total{limit="messages_per_minute",dry_run="false"} 0+10x90`}},
	{quiet: "a dry run", series: []string{`roomgate_limits_exceeded_total{limit="messages_per_minute",dry_run="true"} 0+10x90`}},
	{fire: []string{"RoomgateStormHeldBack"}, series: []string{`roomgate_limits_exceeded_total{limit="connects_per_second",dry_run="false"} 0+2x90`}},
	{quiet: "a storm of five minutes", series: []string{`roomgate_limits_exceeded_total{limit="connects_per_second",dry_run="false"} 0+2x10 20x79`}},

	{fire: []string{"RoomgateCommandLost"}, series: []string{`roomgate_control_commands_total{result="invalid"} 0x9 1x80`}},
	{quiet: "users are taken out", series: []string{`roomgate_control_commands_total{result="disconnect"} 0+1x90`}},
	{fire: []string{"RoomgateBug"}, series: []string{`roomgate_connections_ended_total{reason="bug"} 0x9 1x80`}},
	{fire: []string{"RoomgateSettingsNotTaken"}, series: []string{`roomgate_reloads_total{result="failed"} 0x9 1x80`}},
	{quiet: "settings that were taken", series: []string{`roomgate_reloads_total{result="ok"} 0x9 1x80`}},
	{fire: []string{"RoomgateCertificateEnds"}, series: []string{`roomgate_tls_certificate_expiry_timestamp_seconds 86400x90`}},
	{quiet: "a certificate of eight days", series: []string{`roomgate_tls_certificate_expiry_timestamp_seconds 691200x90`}},
}
