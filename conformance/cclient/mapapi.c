/*
 * mapapi: calls libcmap as it is told on standard input and tells what it
 * returned and notified, so that two daemons can be compared. It is linked with
 * the stock library only.
 *
 * Commands, one a line; the answer to each ends with a line that is just a dot.
 * TYPE is the number of a type.
 *   map 0|1|N               opens a map; there is one at a time; "old" opens the first
 *   context                 sets and gets it
 *   wait MS                 polls the descriptor; dispatch TYPE: one 1, all 2, one without waiting 4
 *   set KEY TYPE LENGTH HEX the value's bytes, given to cmap_set with that length
 *   get KEY LENGTH          cmap_get into a buffer of that length
 *   size KEY                cmap_get without a buffer
 *   text KEY, u32 KEY       cmap_get_string, cmap_get_uint32
 *   typed KEY TYPE NUMBER   sets and gets with the type's own functions; what a key of
 *                           another type, TYPE+1, gives
 *   inc KEY, dec KEY, del KEY
 *   list PREFIX             an iteration; - for everything, of which only the count is told
 *   sweep PREFIX            deletes each key that an iteration comes to, and the one after it
 *   next N, end N           with a bogus iterator
 *   track KEY TYPES         - for no key; trackers are numbered from 0
 *   untrack N
 *   quiet MS                dispatches for so long
 *   close
 *
 * Notifications: N EVENT KEY new TYPE:HEX old TYPE:HEX
 */
#include <corosync/cmap.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static cmap_handle_t h;
static cmap_track_handle_t trackers[32];
static int tracking;

static void put(const char *tag, unsigned type, size_t len, const void *data)
{
	printf(" %s %u:", tag, type);
	for (size_t i = 0; data && i < len; i++)
		printf("%02x", ((const unsigned char *)data)[i]);
}

static void notify(cmap_handle_t handle, cmap_track_handle_t t, int32_t event, const char *key, struct cmap_notify_value n,
		   struct cmap_notify_value o, void *user)
{
	(void)handle, (void)t;
	printf("%d event %d %s", (int)(intptr_t)user, event, key);
	put("new", n.type, n.len, n.data);
	put("old", o.type, o.len, o.data);
	printf("\n");
}

static void list(const char *prefix, int sweep)
{
	char key[CMAP_KEYNAME_MAXLEN + 1], behind[CMAP_KEYNAME_MAXLEN + 8];
	cmap_iter_handle_t it;
	cmap_value_types_t type;
	size_t len;
	unsigned n = 0;
	cs_error_t e = cmap_iter_init(h, strcmp(prefix, "-") ? prefix : NULL, &it);

	printf("init %d\n", e);
	if (e != CS_OK)
		return;
	while ((e = cmap_iter_next(h, it, key, &len, &type)) == CS_OK) {
		n++;
		if (strcmp(prefix, "-"))
			printf("%s %d %zu\n", key, (int)type, len);
		if (sweep) {
			printf("delete %d\n", cmap_delete(h, key));
			snprintf(behind, sizeof behind, "%s.a", key);
			printf("delete %s %d\n", behind, cmap_delete(h, behind));
		}
	}
	printf("next %d, %s\n", e, n ? "some" : "none");
	printf("next %d\n", cmap_iter_next(h, it, key, &len, &type));
	printf("finalize %d\n", cmap_iter_finalize(h, it));
	printf("finalize %d\n", cmap_iter_finalize(h, it));
}

static void get(const char *key, size_t size, int measure)
{
	unsigned char buf[20000] = {0};
	cmap_value_types_t type = 0;
	size_t len = size;
	cs_error_t e = cmap_get(h, key, measure ? NULL : buf, &len, &type);

	printf("get %d", e);
	if (e == CS_OK) {
		printf(" length %zu", len);
		put("is", type, measure || len > sizeof buf ? 0 : len, buf);
	}
	printf("\n");
}

static size_t bytes(const char *hex, unsigned char *to)
{
	size_t n = 0;
	unsigned b;

	for (; sscanf(hex + 2 * n, "%2x", &b) == 1; n++)
		to[n] = (unsigned char)b;
	return n;
}

/* give and take are the functions of one type of number. */
static cs_error_t give(const char *key, unsigned type, long long n)
{
	switch (type) {
	case CMAP_VALUETYPE_INT8: return cmap_set_int8(h, key, (int8_t)n);
	case CMAP_VALUETYPE_UINT8: return cmap_set_uint8(h, key, (uint8_t)n);
	case CMAP_VALUETYPE_INT16: return cmap_set_int16(h, key, (int16_t)n);
	case CMAP_VALUETYPE_UINT16: return cmap_set_uint16(h, key, (uint16_t)n);
	case CMAP_VALUETYPE_INT32: return cmap_set_int32(h, key, (int32_t)n);
	case CMAP_VALUETYPE_UINT32: return cmap_set_uint32(h, key, (uint32_t)n);
	case CMAP_VALUETYPE_INT64: return cmap_set_int64(h, key, (int64_t)n);
	case CMAP_VALUETYPE_UINT64: return cmap_set_uint64(h, key, (uint64_t)n);
	case CMAP_VALUETYPE_FLOAT: return cmap_set_float(h, key, (float)n / 8);
	case CMAP_VALUETYPE_DOUBLE: return cmap_set_double(h, key, (double)n / 8);
	}
	return cmap_set_string(h, key, "text");
}

static cs_error_t take(const char *key, unsigned type, double *n)
{
	int8_t i8 = 0; uint8_t u8 = 0; int16_t i16 = 0; uint16_t u16 = 0; int32_t i32 = 0;
	uint32_t u32 = 0; int64_t i64 = 0; uint64_t u64 = 0; float f = 0; char *s = NULL;
	cs_error_t e;

	*n = 0;
	switch (type) {
	case CMAP_VALUETYPE_INT8: e = cmap_get_int8(h, key, &i8); *n = i8; return e;
	case CMAP_VALUETYPE_UINT8: e = cmap_get_uint8(h, key, &u8); *n = u8; return e;
	case CMAP_VALUETYPE_INT16: e = cmap_get_int16(h, key, &i16); *n = i16; return e;
	case CMAP_VALUETYPE_UINT16: e = cmap_get_uint16(h, key, &u16); *n = u16; return e;
	case CMAP_VALUETYPE_INT32: e = cmap_get_int32(h, key, &i32); *n = i32; return e;
	case CMAP_VALUETYPE_UINT32: e = cmap_get_uint32(h, key, &u32); *n = u32; return e;
	case CMAP_VALUETYPE_INT64: e = cmap_get_int64(h, key, &i64); *n = (double)i64; return e;
	case CMAP_VALUETYPE_UINT64: e = cmap_get_uint64(h, key, &u64); *n = (double)u64; return e;
	case CMAP_VALUETYPE_FLOAT: e = cmap_get_float(h, key, &f); *n = f; return e;
	case CMAP_VALUETYPE_DOUBLE: return cmap_get_double(h, key, n);
	}
	e = cmap_get_string(h, key, &s);
	*n = e == CS_OK ? (double)strlen(s) : 0;
	free(s);
	return e;
}

static void typed(const char *key, unsigned type, long long n)
{
	double got = 0;
	cs_error_t e = give(key, type, n), other;

	printf("typed %d", e);
	e = take(key, type, &got);
	other = take(key, type % CMAP_VALUETYPE_STRING + 1, &(double){0});
	printf(" %d %.3f %d\n", e, e == CS_OK ? got : 0, other);
}

static void context(void)
{
	const void *got = NULL;
	cs_error_t set = cmap_context_set(h, trackers), get = cmap_context_get(h, &got);

	printf("context %d %d %s\n", set, get, got == trackers ? "the same" : "another");
}

static void await(int ms)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	cs_error_t e = cmap_fd_get(h, &p.fd);

	printf("wait %d ready %d\n", e, e == CS_OK ? poll(&p, 1, ms) : 0);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void command(const char *line)
{
	static unsigned char value[20000];
	char word[16] = "", key[400] = "", hex[400] = "", *text = NULL;
	unsigned a = 0;
	unsigned long len = 0;
	uint32_t u = 0;

	sscanf(line, "%15s %399s %u %lu %399s", word, key, &a, &len, hex);
	memset(value, 'v', sizeof value);
	value[sizeof value - 1] = 0;
	if (strcmp(word, "old") == 0) {
		printf("open %d\n", cmap_initialize(&h));
	} else if (strcmp(word, "typed") == 0) {
		typed(key, a, (long long)len);
	} else if (strcmp(word, "context") == 0) {
		context();
	} else if (strcmp(word, "wait") == 0) {
		await(atoi(key));
	} else if (strcmp(word, "dispatch") == 0) {
		printf("dispatch %d\n", cmap_dispatch(h, (cs_dispatch_flags_t)atoi(key)));
	} else if (strcmp(word, "map") == 0) {
		printf("open %d\n", cmap_initialize_map(&h, (cmap_map_t)atoi(key)));
	} else if (strcmp(word, "set") == 0) {
		value[bytes(hex, value)] = hex[0] ? 0 : 'v';
		printf("set %d\n", cmap_set(h, key, value, len, (cmap_value_types_t)a));
	} else if (strcmp(word, "get") == 0) {
		get(key, a, 0);
	} else if (strcmp(word, "size") == 0) {
		get(key, 0, 1);
	} else if (strcmp(word, "text") == 0) {
		cs_error_t e = cmap_get_string(h, key, &text);
		printf("text %d %s\n", e, e == CS_OK ? text : "");
		free(text);
	} else if (strcmp(word, "u32") == 0) {
		cs_error_t e = cmap_get_uint32(h, key, &u);
		printf("u32 %d %u\n", e, u);
	} else if (strcmp(word, "inc") == 0) {
		printf("inc %d\n", cmap_inc(h, key));
	} else if (strcmp(word, "dec") == 0) {
		printf("dec %d\n", cmap_dec(h, key));
	} else if (strcmp(word, "del") == 0) {
		printf("del %d\n", cmap_delete(h, key));
	} else if (strcmp(word, "list") == 0 || strcmp(word, "sweep") == 0) {
		list(key, word[0] == 's');
	} else if (strcmp(word, "next") == 0) {
		printf("next %d\n", cmap_iter_next(h, (cmap_iter_handle_t)atoi(key), (char *)value, NULL, NULL));
	} else if (strcmp(word, "end") == 0) {
		printf("end %d\n", cmap_iter_finalize(h, (cmap_iter_handle_t)atoi(key)));
	} else if (strcmp(word, "track") == 0) {
		int n = tracking++ % 32;
		printf("track %d\n", cmap_track_add(h, strcmp(key, "-") ? key : NULL, (int32_t)a, notify, (void *)(intptr_t)n, &trackers[n]));
	} else if (strcmp(word, "untrack") == 0) {
		printf("untrack %d\n", cmap_track_delete(h, trackers[atoi(key) % 32]));
	} else if (strcmp(word, "quiet") == 0) {
		for (double end = now() + atoi(key) / 1e3; now() < end; usleep(5000))
			cmap_dispatch(h, CS_DISPATCH_ALL);
	} else if (strcmp(word, "close") == 0) {
		printf("close %d\n", cmap_finalize(h));
	} else {
		printf("unknown command\n");
	}
}

int main(void)
{
	char line[900];

	while (fgets(line, sizeof line, stdin)) {
		command(line);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
