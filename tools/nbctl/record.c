// SPDX-License-Identifier: GPL-2.0
/*
 * Prints records that a table of fields describes, as text or as JSON
 *
 * Text goes to stdout at once.  JSON is gathered, from output_begin() to output_end(), as
 * an array of the records in between.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "nbctl.h"

/* bytes of a value as text */
#define VALUE_SIZE	256

/* what has been gathered, and the last record of it */
static struct json_object *gathered, *last;

/* ---- values -------------------------------------------------------------- */

static uint32_t u32_of(const struct field *field, const void *object)
{
	uint32_t value;

	memcpy(&value, (const char *)object + field->offset, sizeof(value));
	return value;
}

static uint64_t u64_of(const struct field *field, const void *object)
{
	uint64_t value;

	memcpy(&value, (const char *)object + field->offset, sizeof(value));
	return value;
}

static const char *text_of(const struct field *field, const void *object)
{
	return (const char *)object + field->offset;
}

static const uint8_t *mac_of(const struct field *field, const void *object)
{
	return (const uint8_t *)object + field->offset;
}

static bool is_set(const struct field *field, const void *object)
{
	static const uint8_t zeroes[6];

	switch (field->value) {
	case VALUE_TEXT:
		return *text_of(field, object);
	case VALUE_MAC:
		return memcmp(mac_of(field, object), zeroes, sizeof(zeroes));
	case VALUE_U64:
	case VALUE_SPEED:
	case VALUE_RATE:
		return u64_of(field, object);
	default:
		return u32_of(field, object);
	}
}

static bool is_shown(const struct field *field, const void *object)
{
	switch (field->when) {
	case WHEN_SET:
		return is_set(field, object);
	case WHEN_NOT:
		return u32_of(field, object) != field->unless;
	case WHEN_STATS:
		return options.stats;
	default:
		return true;
	}
}

static const char *name_of(const struct value_name *names, uint32_t value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

static void format_bits(const struct value_name *names, uint32_t bits, char *buffer,
			size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (; names->name; names++) {
		if (!(bits & names->value) || used >= size)
			continue;
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? "," : "",
					 names->name);
		bits &= ~names->value;
	}
	if (bits && used < size)	/* of a later module */
		snprintf(buffer + used, size - used, "%s%#" PRIx32, used ? "," : "", bits);
}

static void format_speed(uint64_t bits_per_second, char *buffer, size_t size)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {
		{ 1000000000, "Gbit/s" }, { 1000000, "Mbit/s" }, { 1000, "kbit/s" },
		{ 1, "bit/s" },
	};
	int i = 0;

	while (bits_per_second % units[i].unit)
		i++;
	snprintf(buffer, size, "%" PRIu64 "%s", bits_per_second / units[i].unit,
		 units[i].name);
}

/* In four to six characters. */
static void format_rate(uint64_t rate, char *buffer, size_t size)
{
	static const char units[] = " kMGTPE";
	double value = (double)rate;
	int i = 0;

	for (; value >= 9999.5 && units[i + 1]; i++)
		value /= 1000;
	if (i)
		snprintf(buffer, size, "%.*f%c", value < 99.95 ? 1 : 0, value, units[i]);
	else
		snprintf(buffer, size, "%" PRIu64, rate);
}

/* A value as text, in @buffer or where the text is. */
const char *value_text(const struct field *field, const void *object, char *buffer,
		       size_t size)
{
	const uint8_t *m;
	const char *name;
	uint32_t value;

	switch (field->value) {
	case VALUE_TEXT:
		name = text_of(field, object);
		return *name ? name : "-";
	case VALUE_MAC:
		m = mac_of(field, object);
		snprintf(buffer, size, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			 m[3], m[4], m[5]);
		break;
	case VALUE_ADDRESS:
		snprintf(buffer, size, "%#" PRIx64, u64_of(field, object));
		break;
	case VALUE_U64:
		snprintf(buffer, size, "%" PRIu64, u64_of(field, object));
		break;
	case VALUE_SPEED:
		format_speed(u64_of(field, object), buffer, size);
		break;
	case VALUE_RATE:
		format_rate(u64_of(field, object), buffer, size);
		break;
	case VALUE_BITS:
		format_bits(field->names, u32_of(field, object), buffer, size);
		break;
	case VALUE_NAME:
		value = u32_of(field, object);
		name = name_of(field->names, value);
		if (name)
			return name;
		snprintf(buffer, size, "%" PRIu32, value);
		break;
	default:
		value = u32_of(field, object);
		if (field->value == VALUE_USED && value == NOT_KNOWN)
			return "?";
		snprintf(buffer, size, "%" PRIu32, value);
		break;
	}
	return buffer;
}

/* ---- text ---------------------------------------------------------------- */

/* The sequence that begins a colour, as ip has them; "" without colours. */
static const char *colour_of(const struct field *field, const void *object)
{
	if (!options.colour)
		return "";
	switch (field->colour) {
	case COLOUR_NAME:
		return "\033[36m";
	case COLOUR_ADDRESS:
		return "\033[33m";
	case COLOUR_STATE:
		return u32_of(field, object) ? "\033[32m" : "\033[31m";
	default:
		return "";
	}
}

static void print_value(const struct field *field, const void *object)
{
	char buffer[VALUE_SIZE];
	const char *colour = colour_of(field, object);

	printf("%s%s%s%s%s", field->before ? field->before : "", colour,
	       value_text(field, object, buffer, sizeof(buffer)), *colour ? "\033[0m" : "",
	       field->after ? field->after : "");
}

static void print_columns(const struct field *columns, const void *object)
{
	const struct field *field;

	printf("        %-3s", columns->before);
	for (field = columns->fields; field->value != VALUE_END; field++)
		printf(" %*s", field == columns->fields + 1 ? 15 : 12,
		       field->before ? field->before : field->name);
	printf("\n           ");
	for (field = columns->fields; field->value != VALUE_END; field++)
		printf(" %*" PRIu64, field == columns->fields + 1 ? 15 : 12,
		       u64_of(field, (const char *)object + columns->offset));
}

static void print_fields(const struct field *field, const void *object);

static void print_several(const struct field *field, const void *object)
{
	if (field->before)
		fputs(field->before, stdout);
	print_fields(field->fields, (const char *)object + field->offset);
}

static void print_fields(const struct field *field, const void *object)
{
	const char *on_new_line = NULL;

	for (; field->value != VALUE_END; field++) {
		if (field->value == VALUE_BREAK) {
			on_new_line = field->before;
			continue;
		}
		if (!is_shown(field, object))
			continue;
		if (on_new_line)
			printf("\n%s", on_new_line);
		on_new_line = NULL;
		if (field->value == VALUE_COLUMNS)
			print_columns(field, object);
		else if (field->fields)
			print_several(field, object);
		else
			print_value(field, object);
	}
}

/* Print as text, without the end of the line. */
void record_text(const struct field *fields, const void *object)
{
	print_fields(fields, object);
}

/* ---- JSON ---------------------------------------------------------------- */

static struct json_object *json_of_bits(const struct value_name *names, uint32_t bits)
{
	struct json_object *list = json_object_new_array();
	char other[16];

	for (; names->name; names++) {
		if (bits & names->value)
			json_object_array_add(list, json_object_new_string(names->name));
		bits &= ~names->value;
	}
	if (!bits)
		return list;
	snprintf(other, sizeof(other), "%#" PRIx32, bits);
	json_object_array_add(list, json_object_new_string(other));
	return list;
}

static struct json_object *json_of(const struct field *field, const void *object)
{
	char buffer[VALUE_SIZE];

	switch (field->value) {
	case VALUE_TEXT:
		return json_object_new_string(text_of(field, object));
	case VALUE_U64:
	case VALUE_ADDRESS:
	case VALUE_SPEED:
	case VALUE_RATE:
		return json_object_new_uint64(u64_of(field, object));
	case VALUE_USED:
		if (u32_of(field, object) == NOT_KNOWN)
			return NULL;
		return json_object_new_uint64(u32_of(field, object));
	case VALUE_U32:
		return json_object_new_uint64(u32_of(field, object));
	case VALUE_BITS:
		return json_of_bits(field->names, u32_of(field, object));
	case VALUE_RECORD:
	case VALUE_COLUMNS:
		return record_json(field->fields, (const char *)object + field->offset);
	default:
		return json_object_new_string(value_text(field, object, buffer,
							 sizeof(buffer)));
	}
}

static void add_fields(struct json_object *json, const struct field *field,
		       const void *object)
{
	for (; field->value != VALUE_END; field++) {
		if (field->value == VALUE_BREAK || !is_shown(field, object))
			continue;
		if (field->value == VALUE_SAME)
			add_fields(json, field->fields, (const char *)object + field->offset);
		else
			json_object_object_add(json, field->name, json_of(field, object));
	}
}

/* A new JSON object. */
struct json_object *record_json(const struct field *fields, const void *object)
{
	struct json_object *json = json_object_new_object();

	add_fields(json, fields, object);
	return json;
}

/* Print JSON, as options say, and let go of it. */
void print_json(struct json_object *json)
{
	int how = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (options.pretty)
		how |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(json_object_to_json_string_ext(json, how));
	json_object_put(json);
}

/* ---- what a command shows ------------------------------------------------ */

void output_begin(void)
{
	if (options.json)
		gathered = json_object_new_array();
	last = NULL;
}

void output_record(const struct field *fields, const void *object)
{
	if (!options.json) {
		record_text(fields, object);
		putchar('\n');
		return;
	}
	last = record_json(fields, object);
	json_object_array_add(gathered, last);
}

/* Something that belongs to the last record, where JSON has it in a list of that name. */
void output_child(const char *list, const struct field *fields, const void *object)
{
	struct json_object *children;

	if (!options.json) {
		output_record(fields, object);
		return;
	}
	if (!json_object_object_get_ex(last, list, &children)) {
		children = json_object_new_array();
		json_object_object_add(last, list, children);
	}
	json_object_array_add(children, record_json(fields, object));
}

/* Returns the exit status. */
int output_end(void)
{
	if (options.json) {
		print_json(gathered);
		gathered = NULL;
	}
	if (!fflush(stdout) && !ferror(stdout))
		return STATUS_OK;
	complain("cannot write to standard output");
	return STATUS_FAILED;
}
