package walfs

// hookFS asks before each operation of another FS: a test counts, delays or
// fails it. A write that fails has written its first half.
type hookFS struct {
	FS
	before func(op, name string) error
}

func (h hookFS) file(name string, f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return hookFile{f, name, h.before}, nil
}

func (h hookFS) Open(name string) (File, error) {
	if err := h.before("open", name); err != nil {
		return nil, err
	}
	f, err := h.FS.Open(name)
	return h.file(name, f, err)
}

func (h hookFS) Create(name string) (File, error) {
	if err := h.before("create", name); err != nil {
		return nil, err
	}
	f, err := h.FS.Create(name)
	return h.file(name, f, err)
}

func (h hookFS) Rename(from, to string) error {
	if err := h.before("rename", from); err != nil {
		return err
	}
	return h.FS.Rename(from, to)
}

func (h hookFS) SyncDir(dir string) error {
	if err := h.before("syncdir", dir); err != nil {
		return err
	}
	return h.FS.SyncDir(dir)
}

type hookFile struct {
	File
	name   string
	before func(op, name string) error
}

func (f hookFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.before("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f hookFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.before("write", f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.File.WriteAt(p, off)
}

func (f hookFile) Map(size int64) ([]byte, func() error, error) {
	if err := f.before("map", f.name); err != nil {
		return nil, nil, err
	}
	return f.File.Map(size)
}

func (f hookFile) Allocate(size int64) error {
	if err := f.before("allocate", f.name); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

func (f hookFile) Sync() error {
	if err := f.before("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}
