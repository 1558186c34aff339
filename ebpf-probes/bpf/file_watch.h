/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which paths user space wants to hear of, answered without building the path.
 *
 * The wanted paths are a tree of names in a hash map: a node's key is a hash over the names down to it. The state that the walk
 * from the root down to a directory ends in is remembered for the directory, so that most questions are answered
 * by one look into an array: nothing is wanted below it. Renaming or linking a file changes its directory, never
 * a directory's state, so a file cannot hide behind what is remembered. What does change states, the
 * renaming of a directory above and mounting, ends the memory; where no program sees that, age does, within three seconds.
 *
 * collector-ds/src/kernel/watched_paths.rs builds the tree, with the same hashes.
 */
#ifndef DEFENDER_FILE_WATCH_H
#define DEFENDER_FILE_WATCH_H

#include "act.h"

/* Of a node of the tree. */
enum watch {
	WATCH_READ_BELOW = 1 << 0,
	WATCH_WRITE_BELOW = 1 << 1,
	WATCH_READ = 1 << 2,
	WATCH_WRITE = 1 << 3,
	WATCH_ANY_NAME = 1 << 4, /* It has a child for names without a child of their own. */
	WATCH_UNKNOWN = 1 << 7,	 /* Of a directory: too deep to say. */
};

#define WATCH_TO_READ (WATCH_READ_BELOW | WATCH_READ)
#define WATCH_TO_WRITE (WATCH_WRITE_BELOW | WATCH_WRITE)
#define WATCH_BELOW (WATCH_READ_BELOW | WATCH_WRITE_BELOW)
#define WATCH_ALL (WATCH_TO_READ | WATCH_TO_WRITE)

/* What open(2) is asked for by its flags: O_RDONLY, O_WRONLY or O_RDWR. */
static __always_inline u32 access_asked(u64 flags)
{
	return ((flags & 3) != 1 ? WATCH_TO_READ : 0) | ((flags & 3) != 0 ? WATCH_TO_WRITE : 0);
}

#define WATCH_SEED 0x9ae16a3b2f90404fULL
#define WATCH_FACTOR 0x9e3779b97f4a7c15ULL
#define WATCH_ROOT 1ULL	    /* The node of the root directory. */
#define WATCH_NAMES 2ULL    /* The parent of names that are wanted in every directory. */
#define WATCH_ANY 3ULL	    /* Stands for the hash of a name: the child for all others. */
#define WATCH_LEVELS 32	    /* The tree is less deep. */
#define WATCH_NAMES_KEPT 64 /* A power of two. */
#define WATCHED_CHILDREN_WORDS 64
#define LISTING_STRIDE 8    /* Steps of one function call. */
#define LISTING_STRIDES 12  /* Directories that lie deeper are not known, and files in them always told. */
#define MOUNTED_FILE_LIMIT 4
#define SLASHES_LIMIT 64 /* More in a row are held to be the end of a path. */

/* User space fills it, and sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u32);
} watched_paths SEC(".maps");

/* Cgroups whose acts on files nobody wants. User space fills it, and sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct cgroup_key);
	__type(value, u32);
} ignored_cgroups SEC(".maps");

/* What is to be known of the tree besides its nodes. User space sets it, and changes it while programs run. */
struct watched {
	u64 changes;	  /* Counts the changes of the tree of wanted paths: what is remembered of directories ends with each. */
	u64 name_lengths; /* Of names that are wanted in every directory: a bit for each length, the last for 63 and more. */
	u64 children[WATCHED_CHILDREN_WORDS]; /* Which names are children of nodes, by some bits of a hash: see may_be_child. */
};

volatile struct watched watched SEC(".data.watched") = {};
/* Whether ignored_cgroups has any. Set by user space. */
volatile const u32 cgroups_are_ignored = 0;

/* Counts what changes the states of directories. */
u64 tree_changes = 0;

/* What is remembered of a directory. One cache line. */
struct known_directory {
	u64 mount;
	u64 dentry;
	u64 root; /* The process's. */
	u64 name; /* Of the dentry, and its parent: the directory is the one it was. See name_of_directory. */
	u64 node;
	u64 rooted_node; /* The same, walked down from the process's root, where that is not the namespace's. */
	u64 state;	 /* Flags, count of changes, and time: see pack_state. */
	u64 check;	 /* Of the other fields: a task that was interrupted here may leave a mixture. */
};

#define KNOWN_DIRECTORIES_SHIFT 11

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << KNOWN_DIRECTORIES_SHIFT);
	__type(key, u32);
	__type(value, struct known_directory);
} known_directories SEC(".maps");

/* Where a question is worked on. `turn` shows whether another task came in between. */
struct watch_desk {
	u64 turn;
	struct vfsmount *mount; /* Where the way up has come. */
	struct dentry *dentry;
	u64 node;
	u64 rooted_node;
	u32 count;     /* Names on the way up. */
	u32 root_at;   /* How many of them are below the process's root. */
	u32 flags;     /* Of the node that a walk down ended in, and WATCH_BELOW of all above it. */
	u32 next;      /* Where the text goes on. */
	u64 text_node; /* Where it has come in the tree; its flags are above. */
	u64 last;      /* The hash of its last part. */
	u64 hashes[WATCH_NAMES_KEPT];
	u8 name[COMPONENT_LIMIT + 8];
	u8 text[PATH_LIMIT + COMPONENT_LIMIT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct watch_desk);
} watch_desks SEC(".maps");

static __always_inline struct watch_desk *watch_desk(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&watch_desks, &zero);
}

static __always_inline u64 watch_mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * WATCH_FACTOR;
	return hash ^ (hash >> 32);
}

/* What happened to directories, and to what is wanted of them. */
static __always_inline u64 all_changes(void)
{
	return tree_changes + watched.changes;
}

static __always_inline void note_tree_change(void)
{
	__sync_fetch_and_add(&tree_changes, 1);
}

static __always_inline struct path root_of_current(void)
{
	struct path root = {};
	struct fs_struct *fs = NULL;

	if (helper_exists(get_current_task_btf)) {
		fs = bpf_get_current_task_btf()->fs;
	} else {
		struct task_struct *task = bpf_get_current_task();

		read_field(fs, task->fs);
	}
	read_field(root, fs->root);
	return root;
}

/* Typed where the kernel hands out a typed pointer to the current task. */
static __always_inline u64 root_dentry_of_current(void)
{
	if (helper_exists(get_current_task_btf))
		return (u64)bpf_get_current_task_btf()->fs->root.dentry;
	return (u64)root_of_current().dentry;
}

/* What tells an entry from others: its parent, and the hash and length of its name. They lie side by side in all kernels so far. */
struct entry_identity {
	u64 parent;
	u64 hash_len;
};

static __always_inline struct entry_identity identity_of(struct dentry *dentry)
{
	struct entry_identity identity = {};

	if (field_offset(struct dentry, d_name.hash_len) == field_offset(struct dentry, d_parent) + sizeof(u64)) {
		bpf_probe_read_kernel(&identity, sizeof(identity), &dentry->d_parent);
	} else {
		read_field(identity.parent, dentry->d_parent);
		read_field(identity.hash_len, dentry->d_name.hash_len);
	}
	return identity;
}

/* The hash of a name of the kernel's. A function of its own, because the verifier then follows its loop once. */
__noinline u64 hash_name(u64 name)
{
	struct watch_desk *desk = watch_desk();
	u64 hash = WATCH_SEED;
	long length;
	u64 end;

	if (!desk)
		return 0;
	length = bpf_probe_read_kernel_str(desk->name, COMPONENT_LIMIT, (void *)name);
	if (length <= 0)
		return 0;
	end = length;
	keep_bounds(end);
	if (end > COMPONENT_LIMIT)
		return 0;
	*(volatile u64 *)(desk->name + end) = 0;
	for (u32 word = 0; word < COMPONENT_LIMIT / 8; word++) {
		if (word * 8 >= length - 1)
			break;
		hash = watch_mix(hash, *(u64 *)(desk->name + word * 8));
	}
	return hash;
}

enum listing {
	LISTING_ENDED,
	LISTING_GOES_ON,
};

/* Lists one name, or leaves a mount. Counted in memory, of which the verifier keeps no track: it would follow each count at each step. */
static __always_inline int list_name(struct watch_desk *desk, const struct path *root)
{
	struct vfsmount *mount = desk->mount;
	struct dentry *dentry = desk->dentry;
	struct dentry *mount_root = NULL;
	struct dentry *parent = NULL;
	const unsigned char *name = NULL;

	if (mount == root->mnt && dentry == root->dentry)
		desk->root_at = desk->count;
	read_field(mount_root, mount->mnt_root);
	if (dentry == mount_root) {
		if (!leave_mount(&mount, &dentry))
			return LISTING_ENDED;
		desk->mount = mount;
		desk->dentry = dentry;
		return LISTING_GOES_ON;
	}
	read_field(parent, dentry->d_parent);
	if (parent == dentry)
		return LISTING_ENDED;
	read_field(name, dentry->d_name.name);
	desk->hashes[desk->count % WATCH_NAMES_KEPT] = hash_name((u64)name);
	desk->count++;
	desk->dentry = parent;
	return LISTING_GOES_ON;
}

__noinline int list_some_names(void)
{
	struct watch_desk *desk = watch_desk();
	struct path root = root_of_current();

	if (!desk)
		return LISTING_ENDED;
	for (int step = 0; step < LISTING_STRIDE; step++) {
		if (list_name(desk, &root) == LISTING_ENDED)
			return LISTING_ENDED;
	}
	return LISTING_GOES_ON;
}

/* Lists the hashes of the names from a directory up to the top of its mount tree. 0, or -1 where it is too deep. */
__noinline int list_names_upwards(u64 mount, u64 dentry)
{
	struct watch_desk *desk = watch_desk();

	if (!desk)
		return -1;
	desk->mount = (void *)mount;
	desk->dentry = (void *)dentry;
	desk->root_at = U32_MAX;
	desk->count = 0;
	for (int stride = 0; stride < LISTING_STRIDES; stride++) {
		if (list_some_names() == LISTING_ENDED)
			return 0;
	}
	return -1;
}

/* The child of a node for a name, and its flags. 0 where there is none. */
static __always_inline u64 child_node(u64 node, u32 flags, u64 hash, u32 *found)
{
	u64 child = watch_mix(node, hash);
	u32 *value = bpf_map_lookup_elem(&watched_paths, &child);

	if (!value && (flags & WATCH_ANY_NAME)) {
		child = watch_mix(node, WATCH_ANY);
		value = bpf_map_lookup_elem(&watched_paths, &child);
	}
	if (!value)
		return 0;
	*found = *value;
	return child;
}

/*
 * Walks the tree down along the first `count` of the listed names, the last of them first. Leaves the flags at the desk; returns
 * the node, 0 where the tree does not go so far.
 */
__noinline u64 walk_tree_down(u32 count)
{
	struct watch_desk *desk = watch_desk();
	u64 node = WATCH_ROOT;
	u32 *root = bpf_map_lookup_elem(&watched_paths, &node);
	u32 below = 0;
	u32 flags;

	if (!desk)
		return 0;
	desk->flags = 0;
	if (!root)
		return 0;
	flags = *root;
	below = flags & WATCH_BELOW;
	for (u32 level = 0; level < WATCH_LEVELS; level++) {
		if (level >= count || !node)
			break;
		node = child_node(node, flags, desk->hashes[(count - level - 1) % WATCH_NAMES_KEPT], &flags);
		if (!node)
			flags = 0;
		below |= flags & WATCH_BELOW;
	}
	desk->flags = (flags & ~WATCH_BELOW) | below;
	return count < WATCH_LEVELS ? node : 0;
}

/* 8 bits of flags, 8 of the rooted node's, 16 of the count of changes, 32 of the time. */
static __always_inline u64 pack_state(u32 flags, u32 rooted_flags)
{
	u64 changes = all_changes() & 0xffff;
	u64 time = bpf_jiffies64() & U32_MAX;

	return flags | rooted_flags << 8 | changes << 16 | time << 32;
}

static __always_inline int is_fresh(u64 state)
{
	u32 age = (u32)bpf_jiffies64() - (u32)(state >> 32);

	return age < 256 && ((state >> 16) & 0xffff) == (all_changes() & 0xffff);
}

static __always_inline u64 check_of(const struct known_directory *known)
{
	return watch_mix(known->mount ^ known->node, known->dentry ^ known->rooted_node) ^ known->root ^ watch_mix(known->name, known->state);
}

/*
 * How far a directory's entry lies from its mount, and its parent's from it. Distances, because of pointers whose type it knows the verifier
 * permits subtraction alone.
 */
static __always_inline u64 distance(const void *from, const void *to)
{
	u64 distance = (u64)to;

	asm volatile("%0 -= %1" : "+r"(distance) : "r"(from));
	return distance;
}

static __always_inline u32 slot_of_directory(const void *mount, const void *dentry)
{
	return (distance(mount, dentry) >> 5) * WATCH_FACTOR >> (64 - KNOWN_DIRECTORIES_SHIFT);
}

/* By the kernel's hash of the name, which depends on the parent too. */
static __always_inline u64 name_of_directory(const void *dentry, const void *parent, u32 hash)
{
	return distance(dentry, parent) ^ (u64)hash << 32;
}

/* The beginning of a name that stands in its entry, the rest of the word zero. False where it stands elsewhere: long ones do. */
static __always_inline int read_first_word(u64 *word, struct dentry *dentry, u32 length)
{
	u64 offset;

	if (field_exists(((struct dentry___array_name *)0)->d_iname))
		offset = field_offset(struct dentry___array_name, d_iname);
	else if (field_exists(((struct dentry___union_name *)0)->d_shortname))
		offset = field_offset(struct dentry___union_name, d_shortname);
	else
		return 0;
	*word = *(u64 *)((u64)dentry + offset);
	/* Here: behind the comparison the compiler would read from the name's address, which has no type. */
	keep_bounds(*word);
	if ((u64)dentry->d_name.name != (u64)dentry + offset)
		return 0;
	if (length < sizeof(*word))
		*word &= (1ULL << length * 8) - 1;
	return 1;
}

/* Whether a name of such a length and beginning may be a child of a node. */
static __always_inline int may_be_child(u64 node, u32 length, u64 word)
{
	u64 bit = watch_mix(node ^ length, word) >> 52;

	return watched.children[bit / 64 % WATCHED_CHILDREN_WORDS] >> bit % 64 & 1;
}

/* Whether a file of a remembered directory may be wanted for its name. */
static __always_inline int may_be_named(const struct known_directory *known, struct dentry *dentry)
{
	u32 length = ((struct qstr___halves *)&dentry->d_name)->len;
	u64 word;

	return (known->state | known->state >> 8) & WATCH_ANY_NAME || !read_first_word(&word, dentry, length) ||
	       may_be_child(WATCH_NAMES, length, word) || (known->node && may_be_child(known->node, length, word)) ||
	       (known->rooted_node && may_be_child(known->rooted_node, length, word));
}

/*
 * Whether a file is certainly not wanted: its directory is remembered, and neither it nor the name is. For programs that were handed typed
 * pointers, which they follow without calling anybody. Most opens end here.
 */
static __always_inline int is_known_unwatched(struct vfsmount *mount, struct dentry *dentry, u32 access)
{
	struct dentry *directory = dentry->d_parent;
	struct qstr___halves *directory_name = (void *)&directory->d_name;
	struct known_directory *slot, known;
	u32 number;
	u64 check;
	u64 name;

	if (dentry == mount->mnt_root)
		return 0;
	number = slot_of_directory(mount, directory);
	slot = bpf_map_lookup_elem(&known_directories, &number);
	if (!slot)
		return 0;
	/* Another task may come in between: what was copied is checked. */
	known = *slot;
	/* Here: behind the comparisons the compiler would compute with the pointers themselves. */
	check = check_of(&known);
	keep_bounds(check);
	if (known.dentry != (u64)directory || known.mount != (u64)mount || known.root != root_dentry_of_current())
		return 0;
	name = name_of_directory(directory, directory->d_parent, directory_name->hash);
	if (known.name != name || !is_fresh(known.state) || known.check != check)
		return 0;
	return !((known.state | known.state >> 8) & ((access & WATCH_BELOW) | WATCH_UNKNOWN)) && !may_be_named(&known, dentry);
}

/*
 * The state of a directory: its flags, and in the next eight bits those of the node that is rooted at the process's root. The nodes
 * are left at the desk.
 */
__noinline int enter_directory(u64 mount, u64 dentry_address)
{
	struct dentry *dentry = (void *)dentry_address;
	struct watch_desk *desk = watch_desk();
	struct known_directory *known;
	struct path root = root_of_current();
	struct entry_identity identity;
	u64 name;
	u32 flags;
	u32 rooted_flags = 0;
	u32 slot = slot_of_directory((void *)mount, dentry);

	known = bpf_map_lookup_elem(&known_directories, &slot);
	if (!desk || !known)
		return WATCH_UNKNOWN;
	identity = identity_of(dentry);
	name = name_of_directory(dentry, (void *)identity.parent, identity.hash_len);
	if (known->dentry == dentry_address && known->mount == mount && known->root == (u64)root.dentry &&
	    known->name == name && is_fresh(known->state) && known->check == check_of(known)) {
		desk->node = known->node;
		desk->rooted_node = known->rooted_node;
		return known->state & 0xffff;
	}

	if (list_names_upwards(mount, dentry_address))
		return WATCH_UNKNOWN;
	desk->node = walk_tree_down(desk->count);
	flags = desk->flags;
	desk->rooted_node = 0;
	if (desk->root_at < desk->count) {
		desk->rooted_node = walk_tree_down(desk->root_at);
		rooted_flags = desk->flags;
	}
	known->check = ~known->check;
	known->mount = mount;
	known->dentry = dentry_address;
	known->root = (u64)root.dentry;
	known->name = name;
	known->node = desk->node;
	known->rooted_node = desk->rooted_node;
	known->state = pack_state(flags, rooted_flags);
	known->check = check_of(known);
	return known->state & 0xffff;
}

static __always_inline u32 flags_of_name(u64 node, u32 flags, u64 hash)
{
	u32 found = 0;

	if (node)
		child_node(node, flags, hash, &found);
	return found;
}

/* The flags of a file that is called so in the directory that was entered. */
static __always_inline u32 flags_in_directory(struct watch_desk *desk, u32 state, u64 hash)
{
	return flags_of_name(WATCH_NAMES, 0, hash) | flags_of_name(desk->node, state, hash) |
	       flags_of_name(desk->rooted_node, state >> 8, hash);
}

/* Whether a file is wanted for one of the kinds of `access`. */
__noinline int is_watched(u64 mount_address, u64 dentry_address, u32 access)
{
	struct vfsmount *mount = (void *)mount_address;
	struct dentry *dentry = (void *)dentry_address;
	struct watch_desk *desk = watch_desk();
	struct entry_identity identity;
	const unsigned char *name = NULL;
	u64 length;
	u64 turn;
	u32 state;
	u32 flags;

	if (!desk)
		return 1;
	turn = ++desk->turn;
	/* A file that is itself a mount point has its name there. */
	for (int hop = 0; hop < MOUNTED_FILE_LIMIT; hop++) {
		struct dentry *mount_root = NULL;

		read_field(mount_root, mount->mnt_root);
		if (dentry != mount_root || !leave_mount(&mount, &dentry))
			break;
	}
	identity = identity_of(dentry);
	if (identity.parent == (u64)dentry) {
		u64 root = WATCH_ROOT;
		u32 *value = bpf_map_lookup_elem(&watched_paths, &root);

		return value && (*value & access);
	}
	state = enter_directory((u64)mount, identity.parent);
	if ((state | state >> 8) & ((access & WATCH_BELOW) | WATCH_UNKNOWN))
		return 1;
	length = identity.hash_len >> 32;
	if (!desk->node && !desk->rooted_node && !(watched.name_lengths >> (length < 63 ? length : 63) & 1))
		return desk->turn != turn;
	read_field(name, dentry->d_name.name);
	flags = flags_in_directory(desk, state, hash_name((u64)name));
	return flags & access || desk->turn != turn;
}

/* Where the next part of the desk's text begins. A function of its own, lest the verifier follow what comes after for each count of slashes. */
__noinline u32 skip_slashes(void)
{
	struct watch_desk *desk = watch_desk();

	if (!desk)
		return 0;
	for (u32 slashes = 0; slashes < SLASHES_LIMIT; slashes++) {
		if (desk->text[desk->next % PATH_LIMIT] != '/')
			break;
		desk->next++;
	}
	return desk->next;
}

/* The hash of the part of the desk's text that begins at desk->next, which goes on to the next part; 0 at the end. */
__noinline u64 hash_next_part(void)
{
	struct watch_desk *desk = watch_desk();
	u64 hash = WATCH_SEED;
	u64 word = 0;
	u32 length;
	u32 begin;

	if (!desk)
		return 0;
	begin = skip_slashes();
	/* One count alone: the verifier would follow each combination of two. */
	for (length = 0; length < COMPONENT_LIMIT; length++) {
		u64 byte = desk->text[(begin + length) % PATH_LIMIT];

		if (byte == 0 || byte == '/')
			break;
		word |= byte << (length % 8 * 8);
		if (length % 8 == 7) {
			hash = watch_mix(hash, word);
			word = 0;
		}
	}
	desk->next = begin + length;
	if (!length)
		return 0;
	return length % 8 ? watch_mix(hash, word) : hash;
}

/* The hashes of "." and "..". */
#define HASH_OF_DOT watch_mix(WATCH_SEED, 0x2e)
#define HASH_OF_DOTS watch_mix(WATCH_SEED, 0x2e2e)

enum text_step {
	TEXT_ENDED,
	TEXT_GOES_ON,
	TEXT_WATCHED,
};

/* One part of the desk's text down the tree. A function of its own, and all it knows at the desk, for the verifier's sake. */
__noinline int follow_text(u32 access)
{
	struct watch_desk *desk = watch_desk();
	u32 flags = 0;
	u64 hash;

	if (!desk)
		return TEXT_WATCHED;
	hash = hash_next_part();
	if (!hash)
		return TEXT_ENDED;
	if (hash == HASH_OF_DOT)
		return TEXT_GOES_ON;
	if (hash == HASH_OF_DOTS)
		return TEXT_WATCHED;
	desk->last = hash;
	if (desk->text_node)
		desk->text_node = child_node(desk->text_node, desk->flags, hash, &flags);
	desk->flags = flags;
	return flags & access & WATCH_BELOW ? TEXT_WATCHED : TEXT_GOES_ON;
}

/*
 * Whether a path is wanted that is told in text, at the desk, and begins at a directory, or at the root where that is 0. As far as text can
 * say: it may lead through links. One that goes up again is held wanted.
 */
__noinline int is_text_watched(u64 mount, u64 dentry, u32 access)
{
	struct watch_desk *desk = watch_desk();
	u64 root = WATCH_ROOT;
	u32 *value = bpf_map_lookup_elem(&watched_paths, &root);
	int step = TEXT_GOES_ON;

	if (!desk)
		return 1;
	desk->next = 0;
	desk->last = 0;
	desk->text_node = WATCH_ROOT;
	desk->flags = value ? *value : 0;
	if (dentry) {
		u32 state = enter_directory(mount, dentry);

		if ((state | state >> 8) & ((access & WATCH_BELOW) | WATCH_UNKNOWN))
			return 1;
		/* Seen from the process's root, as absolute texts are. */
		desk->text_node = desk->rooted_node ? desk->rooted_node : desk->node;
		desk->flags = desk->rooted_node ? state >> 8 : state;
	}
	if (desk->flags & access & WATCH_BELOW)
		return 1;
	for (int level = 0; level < WATCH_LEVELS && step == TEXT_GOES_ON; level++)
		step = follow_text(access);
	return step == TEXT_WATCHED || desk->flags & access || flags_of_name(WATCH_NAMES, 0, desk->last) & access;
}

/* Whether nobody wants this cgroup's acts on files. */
static __always_inline int is_ignored(struct cgroup_key *cgroup)
{
	return cgroups_are_ignored && bpf_map_lookup_elem(&ignored_cgroups, cgroup);
}

#endif
